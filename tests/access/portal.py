"""Runs commands as a portal does: over HTTP, on a service with a database and a clock of its own."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from domain.roles import OPERATOR as OPERATOR_ID
from domain.roles import VIEWER as VIEWER_ID
from tests.access import commands
from tests.access.aggregates import permissions_in
from tests.access.model import OPERATOR, VIEWER, Given, Model, default_grant_of
from tests.builders import Company, SubUserHandle

if TYPE_CHECKING:
    from datetime import datetime

    from tests.access.model import Resource
    from tests.api.clients import ApiClient, ApiClients
    from tests.conftest import TravelingClock

TEMPORARY = "first phrase for now"
OWN = "a password of my own"


class PortalExecutor:
    """An account at a service. `ids` has the ids of people, roles and grants by their short names."""

    def __init__(self, clients: ApiClients, clock: TravelingClock, model: Model) -> None:
        clock.freeze()
        self._clock = clock
        self._beginning = clock()
        self.portal: ApiClient = clients.portal
        self.company = Company.register(clients.service)
        self.path = f"/v1/accounts/{self.company.account_id}"
        self.ids: dict[str, UUID] = {OPERATOR: OPERATOR_ID, VIEWER: VIEWER_ID}
        self.people: dict[str, SubUserHandle] = {}
        self._holders: dict[str, str] = {}
        self.former_tokens: dict[str, list[str]] = {}
        self._set_catalogue(model)

    def at(self, seconds: int) -> datetime:
        """Return the time of a model's time."""
        return self._beginning + timedelta(seconds=seconds)

    def new_token(self, person: str) -> str | None:
        """Return a new session token of a person, None if they cannot log in."""
        response = self.portal.post(
            "/v1/sessions",
            json={
                "account_email": self.company.email,
                "email": self.people[person].email,
                "password": self.people[person].password,
            },
        )
        if response.status_code != 201:
            return None
        token: str = response.json["token"]  # type: ignore[index]
        self.former_tokens.setdefault(person, []).append(token)
        return token

    def run(self, command: commands.Command, model: Model) -> None:  # noqa: C901, PLR0912  # one case for each command
        """Run a command. `model` is the state after it."""
        match command:
            case commands.Wait(seconds):
                self._clock.advance(seconds=seconds)
            case commands.SetCatalogue():
                self._set_catalogue(model)
            case commands.ChangeRole(role, permissions):
                self._require(200, "PATCH", f"roles/{self.ids[role]}", permissions=sorted(permissions))
            case commands.CreateRole(role, permissions):
                created = self._require(201, "POST", "roles", name=f"{role} {uuid4()}", permissions=sorted(permissions))
                self.ids[role] = UUID(created["role_id"])
            case commands.DeleteRole(role):
                self._require(204, "DELETE", f"roles/{self.ids[role]}")
            case commands.AddPerson(person, is_active, has_own_password):
                self.people[person] = self.company.create_sub_user(password=TEMPORARY)
                self.ids[person] = self.ids[default_grant_of(person)] = self.people[person].sub_user_id
                self._holders[default_grant_of(person)] = person
                if is_active:
                    self._activate(person, chooses_password=has_own_password)
            case commands.DeletePerson(person):
                self.people[person].delete()
            case commands.Deactivate(person):
                self.people[person].change(active=False)
            case commands.Activate(person, chooses_password):
                self._activate(person, chooses_password=chooses_password)
            case commands.ResetPassword(person):
                self._set_password(person, active=True)
            case commands.LimitAccess(person, ends):
                access_expires_at = self.at(ends) if ends is not None else None
                self.people[person].change(changes_expiry=True, access_expires_at=access_expires_at)
            case commands.Grant(name, given):
                body = self._grant(given)
                created = self._require(201, "POST", f"sub-users/{self.ids[given.person]}/grants", **body)
                self.ids[name], self._holders[name] = UUID(created["grant_id"]), given.person
            case commands.Revoke(name):
                self._require(204, "DELETE", f"sub-users/{self.ids[self._holders[name]]}/grants/{self.ids[name]}")
            case commands.ReplaceGrants(person, kept, new):
                self._replace_grants(person, [model.grants[name] for name in sorted(kept)], new)
            case commands.CloseAccount():
                self._require(204, "DELETE", "")

    def _replace_grants(self, person: str, kept: list[Given], new: Any) -> None:
        path, all_grants = f"sub-users/{self.ids[person]}/grants", [*kept, *new.values()]
        before = {grant["grant_id"] for grant in self._require(200, "GET", path, has_body=False)["items"]}
        items = self._require(200, "PUT", path, grants=[self._grant(given) for given in all_grants])["items"]
        assert len(items) == len(all_grants)
        created = [item for item in items if item["grant_id"] not in before]
        assert len(created) == len(new)
        self.ids |= {name: UUID(item["grant_id"]) for name, item in zip(new, created, strict=True)}
        self._holders |= dict.fromkeys(new, person)

    def _activate(self, person: str, *, chooses_password: bool) -> None:
        self._set_password(person, active=True)
        if chooses_password:
            self.people[person] = self.people[person].choose_password(f"{OWN} {uuid4()}")

    def _set_password(self, person: str, **changes: Any) -> None:
        password = f"{TEMPORARY} {uuid4()}"
        self.people[person].change(password=password, **changes)
        self.people[person] = replace(self.people[person], password=password)

    def _grant(self, given: Given) -> dict[str, Any]:
        return {
            "role_id": str(self.ids[given.role]),
            "resource": resource_json(given.resource),
            "expires_at": self.at(given.ends).isoformat() if given.ends is not None else None,
        }

    def _set_catalogue(self, model: Model) -> None:
        permissions = [
            {name: value for name, value in asdict(permission).items() if name != "labels"}
            for permission in permissions_in(model.catalogue)
        ]
        body = {"permissions": permissions, "remove_from_roles": True}
        response = self.portal.put("/v1/permissions", json=body)
        assert response.status_code == 200, response.text

    def _require(self, status: int, method: str, path: str, *, has_body: bool = True, **body: Any) -> Any:
        request = {"json": body} if has_body and method != "DELETE" else {}
        response = self.portal.request(method, f"{self.path}/{path}".rstrip("/"), **request)
        assert response.status_code == status, response.text
        return response.json if status != 204 else None


def resource_json(resource: Resource | None) -> dict[str, str] | None:
    return {"type": resource[0], "id": resource[1]} if resource is not None else None
