"""Names of roles, permissions and resource types, and what a role allows, in the visitor's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from babel.lists import format_list

from api.console.pages import t, visitor_language
from api.presentation.times import LOCALES
from api.presentation.translations import LANGUAGES, has_text, translate
from domain.roles import BUILT_IN_ROLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from application.commands.access_control import RoleDetails
    from domain.permission_catalogue import Permission, PermissionCatalogue


def role_name(role: RoleDetails) -> str:
    """Return the name of a role. Those of built-in roles are translated."""
    return role.name if role.built_in is None else t(f"roles.built_in.{role.built_in}.name")


def role_description(role: RoleDetails) -> str:
    """Return the description of a role. Those of built-in roles are translated."""
    return role.description if role.built_in is None else t(f"roles.built_in.{role.built_in}.description")


def is_name_of_built_in_role(name: str) -> bool:
    """Return whether a built-in role has this name in one of the languages. Upper and lower case are the same."""
    names = {
        translate(language, f"roles.built_in.{built_in}.name")
        for language in LANGUAGES
        for built_in in BUILT_IN_ROLES.values()
    }
    return name.casefold() in {built_in_name.casefold() for built_in_name in names}


def permission_label(permission: Permission) -> str:
    """Return the label of a permission: in the visitor's language, or in another one, or its name."""
    labels = permission.labels
    return labels.get(visitor_language()) or next((label for label in labels.values() if label), permission.name)


def permission_labels(catalogue: PermissionCatalogue, names: Iterable[str]) -> list[str]:
    """Return the labels of permissions."""
    return [permission_label(catalogue.by_name[name]) for name in names]


def resource_type_label(resource_type: str) -> str:
    """Return a resource type in words. A type of the portal's own has its name without underscores."""
    key = f"roles.resource_type.{resource_type}"
    if has_text(visitor_language(), key):
        return t(key)
    return resource_type.replace("_", " ").replace("-", " ")


def capitalized(text: str) -> str:
    """Return the text with its first letter in upper case, and the others unchanged."""
    return text[:1].upper() + text[1:]


def resource_types(catalogue: PermissionCatalogue) -> list[str]:
    """Return the types of resources that permissions apply to, in display order."""
    types = {
        permission.resource_type: None
        for permission in catalogue.permissions
        if permission.resource_type is not None and not permission.reserved
    }
    return list(types)


def abilities_in_words(catalogue: PermissionCatalogue, names: Iterable[str]) -> str:
    """Return an enumeration of permissions, such as "see statistics and see reports"."""
    labels = [_within_sentence(label) for label in permission_labels(catalogue, names)]
    return _enumerated(labels)


def role_in_words(catalogue: PermissionCatalogue, selected: Collection[str]) -> str:
    """Return sentences about what a role with these permissions allows: on everything, and on a single resource."""
    names = [name for name in catalogue.grantable if name in selected]
    if not names:
        return t("roles.nothing")
    allows = t("roles.allows", abilities=abilities_in_words(catalogue, names))
    types = list(dict.fromkeys(catalogue.by_name[name].resource_type for name in names))
    if types == [None]:
        return f"{allows} {t('roles.nothing_on_one')}"
    if len(types) == 1:
        return allows
    type_labels = [resource_type_label(resource_type) for resource_type in types if resource_type is not None]
    return f"{allows} {t('roles.only_of_type', types=_enumerated(type_labels, 'or'))}"


def _enumerated(items: Sequence[str], style: Literal["standard", "or"] = "standard") -> str:
    return format_list(items, style, LOCALES[visitor_language()])


def _within_sentence(label: str) -> str:
    """Return the label with its first letter in lower case, unless it begins with an abbreviation."""
    return label[:1].lower() + label[1:] if label[1:2].islower() or label[1:2].isspace() else label
