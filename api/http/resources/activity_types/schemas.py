"""Schemas of the types of activities."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from api.http.fields.texts import MachineName, Text
from api.http.resources.activities.schemas import ActivityAction
from api.http.response_bodies import ResponseBody
from api.http.schemas import MAX_NAME_LENGTH, Request
from application.commands.activity_types import MAX_ACTIVITY_GROUPS, MAX_ACTIVITY_TYPES, ActivityEffect

GROUP_NAME = "^[a-z][a-z0-9_-]{0,63}$"
MAX_SENTENCE_LENGTH = 200


class ActivityLabels(Request):
    """Name for people, by language."""

    en = Text(max_length=MAX_NAME_LENGTH, required=True)
    it = Text(max_length=MAX_NAME_LENGTH, required=True)


class ActivitySentences(Request):
    """What a person did, by language, to continue their name. `{target}` stands for the target of the activity."""

    en = Text(max_length=MAX_SENTENCE_LENGTH, required=True)
    it = Text(max_length=MAX_SENTENCE_LENGTH, required=True)


class ActivityGroupDefinition(Request):
    """A group of activities, by which the owner of an account can filter."""

    name = MachineName(GROUP_NAME, required=True)
    labels = fields.Nested(ActivityLabels, required=True)


class ActivityTypeDefinition(Request):
    """The names of an action that the portal reports."""

    action = ActivityAction(required=True)
    labels = fields.Nested(ActivityLabels, required=True)
    sentences = fields.Nested(
        ActivitySentences,
        allow_none=True,
        load_default=None,
        metadata={"description": "Such as `changed the assistant {target}`. Without them, the label is shown."},
    )
    group = MachineName(
        GROUP_NAME, allow_none=True, load_default=None, metadata={"description": "One of the `groups`."}
    )
    effect = fields.String(
        load_default=str(ActivityEffect.OTHER),
        validate=validate.OneOf(list(ActivityEffect)),
        metadata={"description": "What it does to its target. It chooses the icon."},
    )


class NewActivityTypes(Request):
    """All groups and types of activities, in display order."""

    groups = fields.List(
        fields.Nested(ActivityGroupDefinition), load_default=list, validate=validate.Length(0, MAX_ACTIVITY_GROUPS)
    )
    activity_types = fields.List(
        fields.Nested(ActivityTypeDefinition), required=True, validate=validate.Length(0, MAX_ACTIVITY_TYPES)
    )

    @validates_schema
    def require_consistent_names(self, data: Any, **_: Any) -> None:
        """Refuse two groups of one name, two types of one action, and a type of an unknown group."""
        groups = [group["name"] for group in data.get("groups", ())]
        if len(set(groups)) < len(groups):
            msg = "must not have two groups of one name"
            raise ValidationError(msg, "groups")
        activity_types = data.get("activity_types", ())
        if len({activity_type["action"] for activity_type in activity_types}) < len(activity_types):
            msg = "must not have two types of one action"
            raise ValidationError(msg, "activity_types")
        if {activity_type["group"] for activity_type in activity_types} - {None, *groups}:
            msg = "must have a group of `groups`, or none"
            raise ValidationError(msg, "activity_types")


class ActivityNamesAnswer(ResponseBody):
    """Texts for people, by language."""

    en = fields.String()
    it = fields.String()


class ActivityGroupAnswer(ResponseBody):
    """A group of activities."""

    name = fields.String(required=True)
    labels = fields.Nested(ActivityNamesAnswer, required=True)


class ActivityTypeAnswer(ResponseBody):
    """The names of an action that the portal reports."""

    action = fields.String(required=True)
    labels = fields.Nested(ActivityNamesAnswer, required=True)
    sentences = fields.Nested(ActivityNamesAnswer, required=True, allow_none=True)
    group = fields.String(required=True, allow_none=True)
    effect = fields.String(required=True, validate=validate.OneOf(list(ActivityEffect)))


class ActivityTypesAnswer(ResponseBody):
    """All groups and types of activities, in display order."""

    revision = fields.Integer(required=True)
    groups = fields.List(fields.Nested(ActivityGroupAnswer), required=True)
    activity_types = fields.List(fields.Nested(ActivityTypeAnswer), required=True)
