"""How the state of a main account is kept, so that a long history need not be read from its beginning."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from eventsourcing.domain import CanSnapshotAggregate, DomainEvent
from eventsourcing.utils import register_topic, resolve_topic

from domain.plan import Plan, Resource, Threshold
from domain.sub_user import CredentialsMailState, SubUser

if TYPE_CHECKING:
    from domain.main_account import MainAccount

TIMES = ("created_at", "access_expires_at", "last_login_at")


@dataclass(frozen=True)
class MainAccountSnapshot(CanSnapshotAggregate[UUID], DomainEvent):
    """The state of an account as of one version, in primitives; what is personal in it stays sealed."""

    TOPIC: ClassVar[str] = "MainAccountSnapshot"
    state: dict[str, Any]

    @classmethod
    def take(cls, aggregate: MainAccount) -> Self:  # type: ignore[override]  # only ever taken of this aggregate
        """Return a snapshot of the account as it is now."""
        return cls(
            originator_id=aggregate.id,
            originator_version=aggregate.version,
            timestamp=aggregate.modified_on,
            state={
                "created_on": aggregate.created_on.isoformat(),
                "email": aggregate.email,
                "email_hash": aggregate.email_hash,
                "company_name": aggregate.company_name,
                "language": aggregate.language,
                "sub_user_limit": aggregate.sub_user_limit,
                "closed_at": aggregate.closed_at and aggregate.closed_at.isoformat(),
                "plan": aggregate.plan and {**vars(aggregate.plan), "period_start": str(aggregate.plan.period_start)},
                "thresholds_told": sorted(_told_to_state(one) for one in aggregate.thresholds_told),
                "sub_users": [_to_state(sub_user) for sub_user in aggregate.sub_users.values()],
            },
        )

    def mutate(self, _: None) -> MainAccount:
        """Return the account as it was when the snapshot was taken."""
        cls: type[MainAccount] = resolve_topic("MainAccount")
        account = cls.__new__(cls)
        account.__base_init__(
            self.originator_id, self.originator_version, datetime.fromisoformat(self.state["created_on"])
        )
        account.modified_on = self.timestamp
        for name in ("email", "email_hash", "company_name", "language", "sub_user_limit"):
            setattr(account, name, self.state[name])
        account.closed_at = _time(self.state["closed_at"])
        account.plan = _plan(self.state.get("plan"))  # a snapshot from before there were plans has none
        account.thresholds_told = frozenset(map(_told_from_state, self.state.get("thresholds_told", ())))
        sub_users = [_from_state(state) for state in self.state["sub_users"]]
        account.sub_users = {sub_user.sub_user_id: sub_user for sub_user in sub_users}
        return account


def _to_state(sub_user: SubUser) -> dict[str, Any]:
    state = {name: value for name, value in asdict(sub_user).items() if value is not None}
    times = {name: state[name].isoformat() for name in TIMES if name in state}
    return {**state, **times, "sub_user_id": str(sub_user.sub_user_id)}


def _from_state(state: dict[str, Any]) -> SubUser:
    return SubUser(
        **{
            **state,
            **{name: _time(state.get(name)) for name in TIMES},
            "sub_user_id": UUID(state["sub_user_id"]),
            "credentials_mail": CredentialsMailState(state["credentials_mail"]),
        }
    )


def _plan(state: dict[str, Any] | None) -> Plan | None:
    return Plan(**{**state, "period_start": date.fromisoformat(state["period_start"])}) if state is not None else None


def _told_to_state(told: Threshold) -> list[Any]:
    return [str(told.resource), told.percent, str(told.period_start), told.included]


def _told_from_state(state: list[Any]) -> Threshold:
    resource, percent, period_start, included = state
    return Threshold(Resource(resource), percent, date.fromisoformat(period_start), included)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


register_topic(MainAccountSnapshot.TOPIC, MainAccountSnapshot)
