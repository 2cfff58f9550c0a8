"""Roles: the permission catalogue, the roles of accounts, their grants, and checks of access."""

from __future__ import annotations

from application.commands.access_control.catalogue import PermissionCatalogues
from application.commands.access_control.checks import AccessChecks
from application.commands.access_control.grants import GrantDetails, NewGrant, RoleGrants
from application.commands.access_control.roles import RoleDetails, Roles

__all__ = ["AccessChecks", "GrantDetails", "NewGrant", "PermissionCatalogues", "RoleDetails", "RoleGrants", "Roles"]
