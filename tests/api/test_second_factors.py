"""Second factors of sub-users over HTTP: enrolment, verification, recovery and reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.clients import OWN_PASSWORD, is_session_active, require_problem
from tests.api.second_factors import FACTORS, VERIFICATION, OwnSession, totp_code
from tests.authenticator import Authenticator

if TYPE_CHECKING:
    from tests.api.clients import Account, ApiClient, ApiClients, SubUser
    from tests.conftest import TravelingClock

CODES = 10


@pytest.fixture
def sub_user(account: Account) -> SubUser:
    """Return an active sub-user with a password of their own."""
    return account.create_with_own_password()


@pytest.fixture
def session(portal: ApiClient, sub_user: SubUser) -> OwnSession:
    """Return a session of the sub-user."""
    return log_in(portal, sub_user)


@pytest.fixture
def authenticator(clients: ApiClients) -> Authenticator:
    """Return an authenticator at the origin of the service."""
    return Authenticator(clients.service.settings.public_url)


def log_in(portal: ApiClient, sub_user: SubUser) -> OwnSession:
    body: Any = sub_user.log_in().json
    return OwnSession(portal, body["token"])


def test_a_person_without_second_factor_signs_in_as_before(sub_user: SubUser, session: OwnSession) -> None:
    body: Any = sub_user.log_in().json
    assert (body["assurance_level"], body["step_up_required"], body["second_factors"]) == ("password", False, [])
    introspected = session.introspect()
    assert (introspected["assurance_level"], introspected["step_up_required"]) == ("password", False)
    assert session.client.get(FACTORS).json == {"items": [], "recovery_codes": 0}
    require_problem(session.verify(code="123456"), 409, "no-second-factor")
    assert sub_user.fetch()["has_second_factor"] is False


def test_adding_an_authenticator_app(sub_user: SubUser, session: OwnSession, portal: ApiClient) -> None:
    """It counts once a code confirms it. The session is replaced by one of the level second_factor."""
    offer = session.offer_totp()
    assert offer["uri"].startswith("otpauth://totp/")
    assert offer["secret"] in offer["uri"]
    assert offer["qr_code"].startswith("<svg")
    assert sub_user.fetch()["has_second_factor"] is False
    former_token = session.token
    added = session.add_totp()
    assert len(set(added.recovery_codes)) == CODES
    assert added.response["factor"]["kind"] == "totp"
    assert added.response["session"]["assurance_level"] == "second_factor"
    assert not is_session_active(portal, former_token)
    assert session.introspect()["assurance_level"] == "second_factor"
    listed: Any = session.client.get(FACTORS).json
    assert [(factor["name"], factor["kind"]) for factor in listed["items"]] == [("My phone", "totp")]
    assert listed["recovery_codes"] == CODES
    assert sub_user.fetch()["has_second_factor"] is True


def test_signing_in_with_an_authenticator_app(sub_user: SubUser, session: OwnSession, portal: ApiClient) -> None:
    """The password opens a session without rights, which the code replaces."""
    added = session.add_totp()
    body: Any = sub_user.log_in().json
    assert (body["assurance_level"], body["step_up_required"]) == ("password", True)
    assert (body["second_factors"], body["permissions"]) == (["totp"], [])
    second = OwnSession(portal, body["token"])
    introspected = second.introspect(permission="assistants", checks=[{"permission": "reports"}])
    assert (introspected["active"], introspected["allowed"], introspected["permissions"]) == (True, False, [])
    assert introspected["step_up_required"] is True
    assert introspected["checks"][0]["because"] == {"missing": "second_factor"}
    response: Any = second.verify(code=totp_code(added.secret))
    assert response.status_code == 200, response.text
    assert response.json["assurance_level"] == "second_factor"
    assert "assistants" in response.json["permissions"]
    assert response.json["expires_at"] == body["expires_at"]
    assert not is_session_active(portal, body["token"])
    introspected = second.introspect(permission="assistants")
    assert (introspected["allowed"], introspected["step_up_required"]) == (True, False)


def test_a_code_is_good_once(sub_user: SubUser, session: OwnSession, portal: ApiClient) -> None:
    """A wrong code and a used one get the same response."""
    added = session.add_totp()
    code = totp_code(added.secret)
    assert log_in(portal, sub_user).verify(code=code).status_code == 200
    used = log_in(portal, sub_user).verify(code=code)
    require_problem(used, 401, "second-factor-refused")
    wrong = log_in(portal, sub_user).verify(code="000000" if code != "000000" else "000001")
    assert {**used.json, "request_id": ""} == {**wrong.json, "request_id": ""}  # type: ignore[dict-item]
    assert log_in(portal, sub_user).verify(code=totp_code(added.secret, offset=1)).status_code == 200


@pytest.mark.parametrize("offset", [-2, 2])
def test_codes_of_distant_time_steps_are_refused(session: OwnSession, offset: int) -> None:
    added = session.add_totp()
    require_problem(session.verify(code=totp_code(added.secret, offset=offset)), 401, "second-factor-refused")


def test_a_recovery_code_is_good_once(sub_user: SubUser, session: OwnSession, portal: ApiClient) -> None:
    """Case, spaces and hyphens do not matter."""
    code = session.add_totp().recovery_codes[0]
    second = log_in(portal, sub_user)
    assert second.verify(recovery_code=code.upper().replace("-", " ")).status_code == 200
    listed: Any = second.client.get(FACTORS).json
    assert listed["recovery_codes"] == CODES - 1
    require_problem(log_in(portal, sub_user).verify(recovery_code=code), 401, "second-factor-refused")


def test_new_recovery_codes_replace_the_former_ones(sub_user: SubUser, session: OwnSession, portal: ApiClient) -> None:
    """They need a session that has verified a second factor."""
    former = session.add_totp().recovery_codes
    response: Any = session.client.post(f"{FACTORS}/recovery-codes")
    assert response.status_code == 201
    assert not {*former} & {*response.json["recovery_codes"]}
    second = log_in(portal, sub_user)
    require_problem(second.client.post(f"{FACTORS}/recovery-codes"), 403, "second-factor-needed")
    require_problem(second.verify(recovery_code=former[0]), 401, "second-factor-refused")
    assert second.verify(recovery_code=response.json["recovery_codes"][0]).status_code == 200


def test_signing_in_with_a_passkey_as_second_factor(
    sub_user: SubUser, session: OwnSession, portal: ApiClient, authenticator: Authenticator
) -> None:
    added = session.add_passkey(authenticator)
    assert added["factor"]["signs_in_alone"] is True
    second = log_in(portal, sub_user)
    assert second.verify_passkey(authenticator).status_code == 200
    assert second.introspect()["assurance_level"] == "second_factor"


def test_an_answer_of_a_passkey_is_good_once(
    sub_user: SubUser, session: OwnSession, portal: ApiClient, authenticator: Authenticator
) -> None:
    session.add_passkey(authenticator)
    second, third = log_in(portal, sub_user), log_in(portal, sub_user)
    challenge: Any = second.client.post(f"{VERIFICATION}/challenges").json
    answer = {"challenge_id": challenge["challenge_id"], "passkey": authenticator.get(challenge["options"])}
    assert second.verify(**answer).status_code == 200
    require_problem(third.verify(**answer), 401, "second-factor-refused")


@pytest.mark.parametrize("change", ["origin", "sign_count", "challenge", "key"])
def test_a_wrong_answer_of_a_passkey_is_refused(
    sub_user: SubUser, session: OwnSession, portal: ApiClient, authenticator: Authenticator, change: str
) -> None:
    """Its origin, sign count, challenge and signature are checked."""
    authenticator.sign_count = 5
    session.add_passkey(authenticator)
    second = log_in(portal, sub_user)
    challenge: Any = second.client.post(f"{VERIFICATION}/challenges").json
    other: Any = second.client.post(f"{VERIFICATION}/challenges").json
    options = challenge["options"]
    match change:
        case "origin":
            authenticator.origin = "https://evil.example"
        case "sign_count":
            authenticator.sign_count = 3
        case "challenge":
            options = other["options"]
        case _:
            authenticator = Authenticator(authenticator.origin, sign_count=9, credential_id=authenticator.credential_id)
    response = second.verify(challenge_id=challenge["challenge_id"], passkey=authenticator.get(options))
    require_problem(response, 401, "second-factor-refused")


def passkey_login(portal: ApiClient, authenticator: Authenticator) -> Any:
    challenge: Any = portal.post("/v1/sessions/passkey-challenges").json
    assert "allowCredentials" not in challenge["options"] or challenge["options"]["allowCredentials"] == []
    answer = {"challenge_id": challenge["challenge_id"], "passkey": authenticator.get(challenge["options"])}
    return portal.post("/v1/sessions/passkey", json=answer)


def test_a_passkey_that_verifies_its_user_signs_in_alone(
    sub_user: SubUser, session: OwnSession, portal: ApiClient, authenticator: Authenticator
) -> None:
    session.add_passkey(authenticator)
    response = passkey_login(portal, authenticator)
    assert response.status_code == 201, response.text
    assert response.json["sub_user_id"] == sub_user.sub_user_id
    assert (response.json["assurance_level"], response.json["step_up_required"]) == ("second_factor", False)
    assert "assistants" in response.json["permissions"]


def test_refused_logins_with_a_passkey_are_alike(
    sub_user: SubUser, session: OwnSession, portal: ApiClient, authenticator: Authenticator
) -> None:
    """Unknown, not verifying its user, of an inactive sub-user: one response."""
    unknown = passkey_login(portal, Authenticator(authenticator.origin))
    weak = Authenticator(authenticator.origin, verifies_user=False)
    session.add_passkey(weak)
    session.add_passkey(authenticator)
    responses = [unknown, passkey_login(portal, weak)]
    sub_user.change(status="inactive")
    responses.append(passkey_login(portal, authenticator))
    for response in responses:
        require_problem(response, 401, "login-refused")
    assert len({str({**response.json, "request_id": ""}) for response in responses}) == 1


def test_a_session_of_a_password_changes_no_second_factor(
    sub_user: SubUser, session: OwnSession, portal: ApiClient, authenticator: Authenticator
) -> None:
    """Otherwise somebody with the password would replace it."""
    added = session.add_passkey(authenticator)
    second = log_in(portal, sub_user)
    for response in (
        second.client.post(f"{FACTORS}/totp"),
        second.client.post(f"{FACTORS}/passkey"),
        second.client.delete(f"{FACTORS}/{added['factor']['factor_id']}"),
    ):
        require_problem(response, 403, "second-factor-needed")


def test_an_offer_from_before_the_first_factor_adds_none(
    sub_user: SubUser, session: OwnSession, portal: ApiClient, authenticator: Authenticator
) -> None:
    """The level of the session is checked when the factor is added, too."""
    second = log_in(portal, sub_user)
    offer = second.offer_totp()
    session.add_passkey(authenticator)
    body = {"challenge_id": offer["challenge_id"], "name": "Mine", "code": totp_code(offer["secret"])}
    require_problem(second.client.post(FACTORS, json=body), 403, "second-factor-needed")


def test_removing_the_last_factor(sub_user: SubUser, session: OwnSession, portal: ApiClient) -> None:
    """The recovery codes go with it, and the password is enough again."""
    added = session.add_totp()
    factor_id = added.response["factor"]["factor_id"]
    require_problem(session.client.delete(f"{FACTORS}/{uuid4()}"), 404, "second-factor-not-found")
    assert session.client.delete(f"{FACTORS}/{factor_id}").status_code == 204
    assert session.client.get(FACTORS).json == {"items": [], "recovery_codes": 0}
    assert log_in(portal, sub_user).introspect()["step_up_required"] is False
    assert sub_user.fetch()["has_second_factor"] is False


def test_a_person_has_at_most_ten_factors(session: OwnSession, authenticator: Authenticator) -> None:
    for _ in range(10):
        session.add_passkey(Authenticator(authenticator.origin))
    require_problem(session.client.post(f"{FACTORS}/totp"), 409, "second-factor-limit-reached")


def test_a_passkey_is_added_once(session: OwnSession, authenticator: Authenticator) -> None:
    session.add_passkey(authenticator)
    offer: Any = session.client.post(f"{FACTORS}/passkey").json
    assert [credential["type"] for credential in offer["options"]["excludeCredentials"]] == ["public-key"]
    body = {
        "challenge_id": offer["challenge_id"],
        "name": "Again",
        "passkey": authenticator.create(offer["options"]),
    }
    require_problem(session.client.post(FACTORS, json=body), 422, "invalid-input", "passkey")


def test_a_wrong_confirmation_adds_nothing(session: OwnSession) -> None:
    """The challenge stays good for another attempt, and is good once."""
    offer = session.offer_totp()
    body = {"challenge_id": offer["challenge_id"], "name": "Mine"}
    require_problem(session.client.post(FACTORS, json={**body, "code": "1"}), 422, "invalid-input", "code")
    require_problem(session.client.post(FACTORS, json={**body, "passkey": {}}), 404, "challenge-not-found")
    require_problem(session.client.post(FACTORS, json=body), 422, "invalid-input", "code")
    assert session.client.get(FACTORS).json == {"items": [], "recovery_codes": 0}
    code = totp_code(offer["secret"], offset=-1)
    first = session.client.post(FACTORS, json={**body, "code": code})
    session.token = first.json["session"]["token"]  # type: ignore[index]
    again = session.client.post(FACTORS, json={**body, "code": code})
    require_problem(again, 404, "challenge-not-found")


def test_challenges_expire(own_clients: ApiClients, clock: TravelingClock) -> None:
    clock.freeze()
    account = own_clients.register_account()
    session = log_in(own_clients.portal, account.create_with_own_password())
    offer = session.offer_totp()
    clock.advance(minutes=10)
    code = totp_code(offer["secret"], clock())
    body = {"challenge_id": offer["challenge_id"], "name": "Mine", "code": code}
    require_problem(session.client.post(FACTORS, json=body), 404, "challenge-not-found")


def test_a_temporary_password_comes_first(account: Account, portal: ApiClient) -> None:
    session = log_in(portal, account.create_active())
    require_problem(session.client.post(f"{FACTORS}/totp"), 403, "own-password-needed")
    require_problem(session.verify(code="123456"), 403, "own-password-needed")


@pytest.mark.parametrize(
    ("proof", "field"),
    [
        ({}, "code"),
        ({"code": "1", "recovery_code": "2"}, "code"),
        ({"passkey": {}}, "challenge_id"),
        ({"code": "1", "challenge_id": str(uuid4())}, "challenge_id"),
    ],
)
def test_a_proof_is_one_of_three(session: OwnSession, proof: dict[str, Any], field: str) -> None:
    require_problem(session.client.post(VERIFICATION, json=proof), 422, "invalid-input", field)


def test_the_policy_required_binds_existing_sessions(account: Account, portal: ApiClient, session: OwnSession) -> None:
    """Without a second factor, the session can only add one, change the password and log out."""
    response: Any = account.portal.patch(account.path, json={"second_factor_policy": "required"})
    assert response.json["second_factor_policy"] == "required"
    introspected = session.introspect(permission="assistants")
    assert (introspected["allowed"], introspected["step_up_required"], introspected["permissions"]) == (False, True, [])
    resources: Any = session.client.get("/v1/sessions/current/resources", query_string={"permission": "assistants"})
    assert resources.json == {"all": False, "items": [], "next_cursor": None}
    added = session.add_totp()
    assert session.introspect(permission="assistants")["allowed"] is True
    removal = session.client.delete(f"{FACTORS}/{added.response['factor']['factor_id']}")
    require_problem(removal, 409, "last-second-factor")
    assert session.client.delete("/v1/sessions/current").status_code == 204


def test_a_password_change_keeps_the_level(session: OwnSession) -> None:
    session.add_totp()
    body = {"current_password": OWN_PASSWORD, "new_password": "another phrase of my own"}
    changed: Any = session.client.put("/v1/sessions/current/password", json=body)
    assert changed.status_code == 200, changed.text
    assert changed.json["assurance_level"] == "second_factor"


def test_the_owner_resets_a_sub_users_factors(
    account: Account, sub_user: SubUser, session: OwnSession, portal: ApiClient
) -> None:
    """The sessions of the sub-user end. Another reset changes nothing."""
    added = session.add_totp()
    path = f"{account.path}/sub-users/{sub_user.sub_user_id}/second-factors"
    reset = account.portal.delete(path)
    assert reset.status_code == 204
    assert not is_session_active(portal, session.token)
    second = log_in(portal, sub_user)
    require_problem(second.verify(recovery_code=added.recovery_codes[0]), 409, "no-second-factor")
    again = account.portal.delete(path)
    assert (again.status_code, "Event-Position" in again.headers) == (204, False)
    assert is_session_active(portal, second.token)
    missing = account.portal.delete(f"{account.path}/sub-users/{uuid4()}/second-factors")
    require_problem(missing, 404, "sub-user-not-found")


def test_support_resets_the_owners_factors_with_a_reason(clients: ApiClients, account: Account) -> None:
    path = f"{account.path}/owner/second-factors"
    require_problem(clients.support.delete(path), 422, "invalid-input", "X-Reason")
    assert clients.support.with_headers(X_Reason="Lost the phone.").delete(path).status_code == 204
    require_problem(clients.portal.delete(path), 403, "wrong-scope")


def test_a_permission_can_need_a_second_factor(own_clients: ApiClients) -> None:
    """A session below the level is refused, and told so. Questions about the person are answered as for any level."""
    portal, account = own_clients.portal, own_clients.register_account()
    permissions = [
        {"name": "assistants", "resource_type": "assistant"},
        {"name": "billing", "needs_second_factor": True},
    ]
    catalogue: Any = portal.put("/v1/permissions", json={"permissions": permissions})
    assert [permission["needs_second_factor"] for permission in catalogue.json["permissions"]] == [False, True]
    sub_user = account.create_with_own_password()
    session = log_in(portal, sub_user)
    introspected = session.introspect(permission="billing", checks=[{"permission": "assistants"}])
    assert (introspected["permissions"], introspected["allowed"]) == (["assistants"], False)
    assert (introspected["step_up_required"], introspected["checks"][0]["allowed"]) == (True, True)
    assert session.introspect(permission="assistants")["step_up_required"] is False
    question = {
        "subject": {"type": "sub_user", "id": sub_user.sub_user_id},
        "action": {"name": "billing"},
        "resource": {"type": "account", "id": account.account_id},
    }
    decision: Any = portal.post("/access/v1/evaluation", json=question).json
    assert (decision["decision"], decision["context"]["needs_second_factor"]) == (True, True)
    session.add_totp()
    introspected = session.introspect(permission="billing")
    assert (introspected["permissions"], introspected["allowed"]) == (["assistants", "billing"], True)
    assert introspected["step_up_required"] is False


def test_wrong_codes_are_throttled_apart_from_passwords(own_clients: ApiClients, clock: TravelingClock) -> None:
    clock.freeze()
    portal = own_clients.portal.with_headers(X_Client_IP="192.0.2.7")
    sub_user = own_clients.register_account().create_with_own_password()
    session = log_in(portal, sub_user)
    added = session.add_totp(clock())
    for _ in range(5):
        require_problem(session.verify(code="wrong"), 401, "second-factor-refused")
    response = session.verify(code=totp_code(added.secret, clock()))
    require_problem(response, 429, "too-many-attempts")
    assert int(response.headers["Retry-After"]) >= 1
    assert sub_user.log_in().status_code == 201
    clock.advance(seconds=60)
    assert session.verify(code=totp_code(added.secret, clock())).status_code == 200


def test_the_audit_log_has_the_story(own_clients: ApiClients) -> None:
    account = own_clients.register_account()
    session = log_in(own_clients.portal, account.create_with_own_password())
    added = session.add_totp()
    session.verify(code="wrong")
    session.verify(recovery_code=added.recovery_codes[0])
    rows: Any = own_clients.portal.get(f"{account.path}/audit-log").json
    actions = [row["action"] for row in rows["items"] if row["action"].startswith("person.")]
    assert actions == [
        "person.second_factor_verified",
        "person.second_factor_refused",
        "person.second_factor_verified",
        "person.recovery_codes_issued",
        "person.second_factor_added",
    ]
