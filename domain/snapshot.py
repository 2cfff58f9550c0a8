"""Snapshots of main accounts, which avoid replaying a long stream from its beginning."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import CanSnapshotAggregate, DomainEvent
from eventsourcing.utils import register_topic, resolve_topic

from domain.mails import RecentMails
from domain.owner_email import FormerEmail, OwnerEmail, PendingEmail
from domain.plan import Plan, Resource, Threshold
from domain.roles import OPERATOR, Role
from domain.second_factor import SecondFactorKind, SecondFactorPolicy
from domain.sub_user import CredentialsKind, CredentialsMailState, SubUser

if TYPE_CHECKING:
    from domain.main_account import MainAccount

TIME_FIELDS = tuple(field.name for field in fields(SubUser) if "datetime" in str(field.type))
"""Fields of a sub-user that a snapshot stores as ISO 8601 text."""

EMAIL_TIME_FIELDS = frozenset({"expires_at", "kept_until"})
"""Fields of a pending or former e-mail that a snapshot stores as ISO 8601 text."""

PASSWORDS_ISSUED = "passwords_issued"
"""Key of `SubUser.password_issued_at` by sub-user. It is outside `sub_users`, because earlier releases pass all that a
sub-user has there to a constructor that does not know this field."""

INVITED = "invited"
"""Key of the sub-users whose `SubUser.credentials_kind` is a link, outside `sub_users` for the same reason."""

DERIVED_FIELDS = ("password_issued_at", "credentials_kind", "has_second_factor")
"""Fields of a sub-user that are outside `sub_users`, for the same reason."""

CREDENTIALS_VERSION = "credentials"
"""Key of `SubUser.credentials_version` in a snapshot."""


DEFAULT_GRANTS = Counter({OPERATOR: 1})
"""The grants of a sub-user of an account that never changed any, by role."""


@dataclass(frozen=True)
class MainAccountSnapshot(CanSnapshotAggregate[UUID], DomainEvent):
    """State of an account at one version, as JSON values. Personal data stays encrypted."""

    TOPIC: ClassVar[str] = "MainAccountSnapshot"
    state: dict[str, Any]

    @classmethod
    def take(cls, aggregate: MainAccount) -> Self:  # type: ignore[override]  # only for this aggregate
        """Return a snapshot of the account's current state."""
        return cls(
            originator_id=aggregate.id,
            originator_version=aggregate.version,
            timestamp=aggregate.modified_on,
            state={
                "created_on": aggregate.created_on.isoformat(),
                "email": aggregate.owner_email.current,
                "email_hash": aggregate.owner_email.email_hash,
                "company_name": aggregate.company_name,
                "language": aggregate.language,
                "sub_user_limit": aggregate.sub_user_limit,
                "external_id": aggregate.external_id,
                "closed_at": aggregate.closed_at and aggregate.closed_at.isoformat(),
                "plan": aggregate.plan and {**vars(aggregate.plan), "period_start": str(aggregate.plan.period_start)},
                "thresholds_told": sorted(map(_threshold_to_state, aggregate.notified_thresholds)),
                "sub_user_password_reset": aggregate.sub_user_password_reset,
                "pending_email": aggregate.owner_email.pending and _email_to_state(aggregate.owner_email.pending),
                "former_emails": [_email_to_state(former) for former in aggregate.owner_email.former],
                "recent_mails": [[at.isoformat(), str(recipient)] for at, recipient in aggregate.recent_mails.mails],
                "roles": [_role_to_state(role) for role in aggregate.roles.values()],
                "grant_counts": {
                    str(sub_user_id): {str(role_id): count for role_id, count in counts.items()}
                    for sub_user_id, counts in aggregate.grant_counts.items()
                    if counts != DEFAULT_GRANTS
                },
                "second_factor_policy": aggregate.second_factor_policy,
                "second_factors": {
                    str(person_id): {str(factor_id): kind for factor_id, kind in factors.items()}
                    for person_id, factors in aggregate.second_factors.items()
                },
                "sub_users": [_to_state(sub_user) for sub_user in aggregate.sub_users.values()],
                PASSWORDS_ISSUED: {
                    str(sub_user.sub_user_id): sub_user.password_issued_at and sub_user.password_issued_at.isoformat()
                    for sub_user in aggregate.sub_users.values()
                },
                INVITED: [
                    str(sub_user.sub_user_id)
                    for sub_user in aggregate.sub_users.values()
                    if sub_user.credentials_kind == CredentialsKind.LINK
                ],
            },
        )

    @property
    def is_outdated(self) -> bool:
        """Return whether an earlier release took this snapshot, without fields of the current state."""
        return PASSWORDS_ISSUED not in self.state

    def mutate(self, _: None) -> MainAccount:
        """Return the account in the state of the snapshot."""
        cls: type[MainAccount] = resolve_topic("MainAccount")
        account = cls.__new__(cls)
        account.__base_init__(
            self.originator_id, self.originator_version, datetime.fromisoformat(self.state["created_on"])
        )
        account.modified_on = self.timestamp
        for name in ("company_name", "language", "sub_user_limit"):
            setattr(account, name, self.state[name])
        account.owner_email = _owner_email(self.state)
        account.external_id = self.state.get("external_id")  # missing in older snapshots
        account.closed_at = _time(self.state["closed_at"])
        account.plan = _plan(self.state.get("plan"))  # missing in older snapshots
        account.notified_thresholds = frozenset(map(_threshold_from_state, self.state.get("thresholds_told", ())))
        account.sub_user_password_reset = self.state.get("sub_user_password_reset", True)  # missing in older snapshots
        mails = self.state.get("recent_mails", ())  # missing in older snapshots
        account.recent_mails = RecentMails(tuple((datetime.fromisoformat(at), UUID(to)) for at, to in mails))
        account.second_factor_policy = SecondFactorPolicy(
            self.state.get("second_factor_policy", SecondFactorPolicy.OPTIONAL)  # missing in older snapshots
        )
        factors_by_person: dict[str, dict[str, str]] = self.state.get("second_factors", {})
        account.second_factors = {
            UUID(person_id): {UUID(factor_id): SecondFactorKind(kind) for factor_id, kind in factors.items()}
            for person_id, factors in factors_by_person.items()
        }
        issued = self.state.get(PASSWORDS_ISSUED, {})
        invited = frozenset(self.state.get(INVITED, ()))  # missing in older snapshots
        sub_users = [
            _from_state(
                {
                    **state,
                    "password_issued_at": issued.get(state["sub_user_id"]),
                    "credentials_kind": CredentialsKind.LINK
                    if state["sub_user_id"] in invited
                    else CredentialsKind.PASSWORD,
                    "has_second_factor": state["sub_user_id"] in factors_by_person,
                }
            )
            for state in self.state["sub_users"]
        ]
        account.sub_users = {sub_user.sub_user_id: sub_user for sub_user in sub_users}
        roles = map(_role_from_state, self.state.get("roles", ()))  # missing in older snapshots, as `grant_counts`
        account.roles = {role.role_id: role for role in roles}
        account.grant_counts = {sub_user.sub_user_id: DEFAULT_GRANTS for sub_user in sub_users} | {
            UUID(sub_user_id): Counter({UUID(role_id): count for role_id, count in counts.items()})
            for sub_user_id, counts in self.state.get("grant_counts", {}).items()
        }
        return account


def _to_state(sub_user: SubUser) -> dict[str, Any]:
    state = {name: value for name, value in asdict(sub_user).items() if value is not None}
    for name in DERIVED_FIELDS:
        state.pop(name, None)
    state[CREDENTIALS_VERSION] = state.pop("credentials_version")
    times = {name: state[name].isoformat() for name in TIME_FIELDS if name in state}
    return {**state, **times, "sub_user_id": str(sub_user.sub_user_id)}


def _from_state(state: dict[str, Any]) -> SubUser:
    values = {name: value for name, value in state.items() if name != CREDENTIALS_VERSION}
    return SubUser(
        **{
            **values,
            **{name: _time(state.get(name)) for name in TIME_FIELDS},
            "sub_user_id": UUID(state["sub_user_id"]),
            "credentials_version": state[CREDENTIALS_VERSION],
            "credentials_mail": CredentialsMailState(state["credentials_mail"]),
        }
    )


def _role_to_state(role: Role) -> dict[str, Any]:
    return {**vars(role), "role_id": str(role.role_id), "permissions": sorted(role.permissions)}


def _role_from_state(state: dict[str, Any]) -> Role:
    return Role(**{**state, "role_id": UUID(state["role_id"]), "permissions": frozenset(state["permissions"])})


def _owner_email(state: dict[str, Any]) -> OwnerEmail:
    pending = state.get("pending_email")  # missing in older snapshots, as `former_emails`
    former = map(_email_from_state, state.get("former_emails", ()))
    return OwnerEmail(
        state["email"],
        state["email_hash"],
        PendingEmail(**_email_from_state(pending)) if pending is not None else None,
        tuple(FormerEmail(**former) for former in former),
    )


def _email_to_state(email: PendingEmail | FormerEmail) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(email).items()}


def _email_from_state(state: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name in EMAIL_TIME_FIELDS else value for name, value in state.items()
    }


def _plan(state: dict[str, Any] | None) -> Plan | None:
    return Plan(**{**state, "period_start": date.fromisoformat(state["period_start"])}) if state is not None else None


def _threshold_to_state(threshold: Threshold) -> list[Any]:
    return [str(threshold.resource), threshold.percent, str(threshold.period_start), threshold.included]


def _threshold_from_state(state: list[Any]) -> Threshold:
    resource, percent, period_start, included = state
    return Threshold(Resource(resource), percent, date.fromisoformat(period_start), included)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


register_topic(MainAccountSnapshot.TOPIC, MainAccountSnapshot)
