"""What a sub-user can do, as pages show it. The decisions are those of the checks of access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.console.current_user import visitor
from api.console.roles.grants import ResourceName
from api.console.roles.role_texts import capitalized, permission_labels, resource_type_label
from api.http.authentication import service

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from application.commands.access_control import GrantDetails
    from domain.access_decision import Missing

SHOWN_RESOURCES = 50


@dataclass(frozen=True)
class ShownAbilities:
    """What a sub-user can do: labels of permissions on everything, and further ones on single resources.

    `missing` is what the sub-user lacks to do anything at present. `more` is the number of resources left out.
    """

    missing: Missing | None
    on_everything: Sequence[str]
    on_resources: Sequence[tuple[ResourceName, Sequence[str]]]
    more: int
    reserved: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether no role allows anything."""
        return not self.on_everything and not self.on_resources


def shown_abilities(sub_user_id: UUID, grants: Sequence[GrantDetails]) -> ShownAbilities:
    """Return what a sub-user of the visitor's account can do. Their grants have the names of resources."""
    abilities = service().commands.access.abilities_of_sub_user(visitor().account_id, sub_user_id)
    catalogue = abilities.catalogue
    labels = {
        (grant.resource.type, grant.resource.id): grant.resource.label
        for grant in grants
        if grant.resource is not None and grant.resource.label is not None
    }
    shown = list(abilities.on_resources.items())[:SHOWN_RESOURCES]
    return ShownAbilities(
        missing=abilities.missing,
        on_everything=permission_labels(catalogue, abilities.on_everything),
        on_resources=[
            (
                ResourceName(
                    capitalized(resource_type_label(resource.type)),
                    resource.id,
                    labels.get((resource.type, resource.id)),
                ),
                permission_labels(catalogue, names),
            )
            for resource, names in shown
        ],
        more=len(abilities.on_resources) - len(shown),
        reserved=permission_labels(
            catalogue, [permission.name for permission in catalogue.permissions if permission.reserved]
        ),
    )
