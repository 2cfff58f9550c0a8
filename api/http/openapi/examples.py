"""Examples of request and response bodies in the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

from api.http.resources.sub_users.schemas import ACCOUNT_ID, SUB_USER_EXAMPLE, SUB_USER_ID
from domain.roles import OPERATOR, VIEWER

GRANT_ID = "a1d7c3e9-0b52-4f68-8c14-9e3f5a7b2d60"
ROLE_ID = "6b8e2f4d-7a19-4c53-b0d6-1f2e3d4c5b6a"
RESOURCE = {"type": "assistant", "id": "a-42"}
GRANT = {
    "role_id": str(VIEWER),
    "resource": {**RESOURCE, "label": "Reception"},
    "expires_at": "2099-05-31T22:00:00Z",
}
SUBJECT = {"type": "sub_user", "id": SUB_USER_ID}
ACTIVITY_GROUP = {"name": "assistants", "labels": {"en": "Assistants", "it": "Assistenti"}}
ACTIVITY_TYPE = {
    "action": "assistant.edited",
    "labels": {"en": "Assistant changed", "it": "Assistente modificato"},
    "sentences": {"en": "changed the assistant {target}", "it": "ha modificato l'assistente {target}"},
    "group": "assistants",
    "effect": "change",
}
PERMISSION = {
    "name": "assistants",
    "resource_type": "assistant",
    "reserved": False,
    "reading": False,
    "needs_second_factor": False,
    "labels": {"en": "Work with voice assistants", "it": "Lavorare con gli assistenti vocali"},
}

RECOVERY_CODES_SHOWN = ["k3v9m-2xw8h-ptq4z-a7bnc-wy5kh", "x3d2m-juq8s-4fbn6-w7cye-5rktz"]
CHALLENGE_ID = "d41d8cd9-8f00-4204-a980-0998ecf8427e"
PASSKEY_RESPONSE = {
    "id": "AQIDBAUGBwg",
    "rawId": "AQIDBAUGBwg",
    "type": "public-key",
    "response": {"clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA", "userHandle": None},
}
SECOND_FACTOR = {
    "factor_id": "0c5f2b7e-4d3a-4e19-9b86-5a7c1d2e3f40",
    "kind": "totp",
    "name": "My phone",
    "signs_in_alone": False,
    "created_at": "2026-05-01T08:00:00Z",
    "last_used_at": None,
}
OPENED_SESSION = {
    "token": "the token of the session",
    "expires_at": "2026-05-02T08:00:00Z",
    "account_id": ACCOUNT_ID,
    "sub_user_id": SUB_USER_ID,
    "must_change_password": False,
    "permissions": ["assistants", "tools"],
    "assurance_level": "second_factor",
    "step_up_required": False,
    "second_factors": ["totp"],
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "NewAccount": {"email": "owner@company.example", "company_name": "Company", "language": "en"},
    "AccountPatch": {"language": "it"},
    "NewLimit": {"sub_user_limit": 12, "reason": "They opened a second office."},
    "NewSubUser": {"email": "grace@company.example", "name": "Grace", "surname": "Hopper", "grants": [GRANT]},
    "SubUserPatch": {"status": "active", "credentials": "link"},
    "CredentialsMail": {"credentials": "link"},
    "Login": {
        "account_email": "owner@company.example",
        "email": "grace@company.example",
        "password": "the password from the mail",
    },
    "NewPasswordReset": {"account_email": "owner@company.example", "email": "grace@company.example"},
    "PasswordResetAnswer": {"link_lifetime_seconds": 1800},
    "LinkToken": {"token": "the last part of the link"},
    "ChosenPassword": {"token": "the last part of the link", "new_password": "a phrase that nobody knew"},
    "Introspection": {
        "token": "the token of the session",
        "permission": "assistants",
        "resource": RESOURCE,
        "checks": [{"id": "reports", "permission": "reports"}],
    },
    "OAuthIntrospection": {"token": "the token of the session"},
    "OwnPassword": {"current_password": "the password from the mail", "new_password": "a phrase that is hard to guess"},
    "SecondFactorProof": {"code": "123456"},
    "PasskeyLogin": {"challenge_id": CHALLENGE_ID, "passkey": PASSKEY_RESPONSE},
    "NewSecondFactor": {"challenge_id": CHALLENGE_ID, "name": "My phone", "code": "123456"},
    "NewActivities": {
        "activities": [
            {
                "sub_user_id": SUB_USER_ID,
                "action": "assistant.published",
                "target": "assistant 42",
                "details": {"version": 7},
            }
        ]
    },
    "NewUsage": {"usage": [{"sub_user_id": SUB_USER_ID, "conversation_ms": 750_000, "llm_tokens": 3400}]},
    "NewPlan": {"included_minutes": 1000, "included_tokens": 2000000, "period_start": "2026-05-01"},
    "NewWebhookBody": {
        "url": "https://receiver.example/subusers",
        "account_id": ACCOUNT_ID,
        "event_types": ["subusers.sub_user.activated.v1", "subusers.sub_user.deleted.v1"],
        "signature_algorithm": "ed25519",
    },
    "WebhookReplay": {"after": 0},
    "NewCatalogue": {"permissions": [PERMISSION]},
    "NewActivityTypes": {"groups": [ACTIVITY_GROUP], "activity_types": [ACTIVITY_TYPE]},
    "NewRole": {"name": "Editors", "description": "They write prompts.", "permissions": ["assistants"]},
    "RolePatch": {"permissions": ["assistants", "tools"]},
    "NewRoleGrant": {**GRANT, "reason": "Looks after the reception."},
    "ReplacedGrants": {"grants": [GRANT], "reason": "Looks after the reception."},
    "Evaluation": {"subject": SUBJECT, "action": {"name": "assistants"}, "resource": RESOURCE},
    "Evaluations": {
        "subject": SUBJECT,
        "resource": RESOURCE,
        "evaluations": [{"action": {"name": "assistants"}}, {"action": {"name": "tools"}}],
        "options": {"evaluations_semantic": "execute_all"},
    },
    "SubjectSearch": {
        "subject": {"type": "sub_user"},
        "action": {"name": "assistants"},
        "resource": RESOURCE,
        "context": {"account_id": ACCOUNT_ID},
    },
    "ResourceSearch": {"subject": SUBJECT, "action": {"name": "assistants"}, "resource": {"type": "assistant"}},
    "ActionSearch": {"subject": SUBJECT, "resource": RESOURCE},
}
"""Example request bodies by schema name. They are valid except for ids and secrets, which only the sender has."""

EVENT_EXAMPLE = {
    "specversion": "1.0",
    "id": f"{ACCOUNT_ID}:7",
    "type": "subusers.sub_user.logged_in.v1",
    "source": "https://subusers.example",
    "time": "2026-11-23T21:09:34.434614Z",
    "datacontenttype": "application/json",
    "dataschema": "https://subusers.example/schemas/subusers.sub_user.logged_in.v1.json",
    "position": 8,
    "sequence": "0000000000000000008",
    "subject": SUB_USER_ID,
    "accountid": ACCOUNT_ID,
    "accountversion": 7,
    "partitionkey": ACCOUNT_ID,
    "data": {
        "actor": {"type": "sub_user", "id": SUB_USER_ID},
        "session_id": "c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b",
        "with_temporary_password": False,
    },
}
STREAM_EXAMPLE = f"id: 8\nevent: {EVENT_EXAMPLE['type']}\ndata: {json.dumps(EVENT_EXAMPLE)}\n\n"
CHECKPOINT_EXAMPLE = """\
subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90
1042
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
position 1057
time 2026-05-01T12:00:00Z

\u2014 subusers/9b1f2e7a-6c3d-4f58-8a0e-2d7c4b5a6e90 TlZgcW\u2026
"""
CSV_EXAMPLE = """\
position,occurred_at,recorded_at,action,actor_type
7,2026-05-01T08:00:00Z,2026-05-01T08:00:00Z,sub_user.activated,main_account
"""
"""The first columns of a row."""

LINES_EXAMPLE = '{"position": 7, "action": "sub_user.activated"}\\n'
"""Some fields of a line."""

NOW = "2026-05-01T08:00:00Z"
LATER = "2026-05-01T16:00:00Z"
API_KEY_ID = "5d0c8f0a-8f1e-4c1a-9b6f-2a4d7e9c1b30"
SESSION_ID = "c2b4f7de-91a3-4e55-8d0b-6a7f1e2d3c4b"
WEBHOOK_ID = "e7a4f0c2-5b1d-4e8f-a3c6-1d2b3c4d5e6f"
HASH = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

ACCOUNT = {
    "account_id": ACCOUNT_ID,
    "email": "owner@company.example",
    "company_name": "Company",
    "language": "en",
    "sub_user_limit": 10,
    "sub_user_count": 1,
    "created_at": NOW,
    "closed_at": None,
    "external_id": "customer-42",
    "sub_user_password_reset": True,
    "second_factor_policy": "optional",
    "pending_email": "new-owner@company.example",
    "pending_email_expires_at": LATER,
}
SESSION = {
    "session_id": SESSION_ID,
    "created_at": NOW,
    "last_used_at": NOW,
    "expires_at": LATER,
    "must_change_password": False,
    "assurance_level": "password",
    "ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "browser": "Firefox",
    "device": "Linux",
    "country": None,
    "city": None,
    "opened_at": NOW,
    "restricted": False,
}
AUDIT_ROW = {
    "position": 7,
    "occurred_at": NOW,
    "recorded_at": NOW,
    "action": "sub_user.activated",
    "actor": {
        "type": "main_account",
        "id": ACCOUNT_ID,
        "name": "Company",
        "api_key_id": API_KEY_ID,
        "person": "ada@portal.example",
    },
    "sub_user_id": SUB_USER_ID,
    "target": None,
    "ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0",
    "reason": None,
    "details": None,
}
AMOUNTS = {"conversation_ms": 750_000, "conversation_minutes": 12.5, "llm_tokens": 3400}
NO_AMOUNTS = {"conversation_ms": 0, "conversation_minutes": 0, "llm_tokens": 0}
CHECKPOINT = {"tree_size": 1042, "position": 1057, "signed_at": "2026-05-01T12:00:00Z", "note": CHECKPOINT_EXAMPLE}
VERIFIER_KEY = f"subusers/{ACCOUNT_ID}+4e565981+AXhK1L2b7mT3nQ5rS8uV0wX4yZ6aB9cD2eF5gH7iJ1kL"
WEBHOOK = {
    "webhook_id": WEBHOOK_ID,
    "account_id": ACCOUNT_ID,
    "api_key_id": API_KEY_ID,
    "url": "https://receiver.example/subusers",
    "event_types": ["subusers.sub_user.activated.v1"],
    "description": None,
    "signature_algorithm": "ed25519",
    "status": "active",
    "created_at": NOW,
    "position": 7,
    "failures": 0,
    "next_attempt_at": None,
    "disabled_at": None,
    "disabled_reason": None,
    "types": ["subusers.sub_user.activated.v1"],
    "signature": "ed25519",
    "disabled_why": None,
}
ROLE = {
    "role_id": ROLE_ID,
    "name": "Editors",
    "description": "They write prompts.",
    "permissions": ["assistants"],
    "built_in": None,
    "holders": 1,
}
OPERATOR_ROLE = {
    "role_id": str(OPERATOR),
    "name": "Operator",
    "description": "",
    "permissions": ["assistants", "tools"],
    "built_in": "operator",
    "holders": 2,
}
GRANT_ANSWER = {"grant_id": GRANT_ID, **GRANT, "granted_at": NOW, "reason": "Looks after the reception."}
REASON = {"role_id": ROLE_ID, "grant_id": GRANT_ID}
WEBHOOK_KEY = {"webhook_id": WEBHOOK_ID, "secret": None, "public_key": f"whpk_{HASH}"}

RESPONSE_EXAMPLES: dict[str, dict[str, Any]] = {
    "Problem": {
        "type": "urn:subusers:problem:invalid-input",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "Some values were refused.",
        "request_id": "0f4c7d1e-3a52-4b6f-9c8e-7d2a1b0c9e8f",
        "errors": {"email": ["is not a valid e-mail address"]},
    },
    "AccountAnswer": ACCOUNT,
    "AccountListAnswer": {"items": [ACCOUNT], "next_cursor": None},
    "ConsoleLinkAnswer": {
        "url": "https://subusers.example/console/link/the-secret-of-the-link",
        "expires_at": "2026-05-01T08:01:00Z",
    },
    "SubUserAnswer": SUB_USER_EXAMPLE,
    "SubUserListAnswer": {"items": [SUB_USER_EXAMPLE], "next_cursor": None},
    "SessionListAnswer": {"items": [SESSION], "next_cursor": None},
    "OwnSessionListAnswer": {"items": [{**SESSION, "current": True}], "next_cursor": None},
    "PersonalDataAnswer": {
        "account_id": ACCOUNT_ID,
        "sub_user_id": SUB_USER_ID,
        "profile": SUB_USER_EXAMPLE,
        "erasure_due_at": None,
        "sessions": [SESSION],
        "mails": [
            {"notice": "credentials", "asked_at": NOW, "state": "sent", "attempts": 1, "settled_at": NOW},
        ],
        "usage": [{"day": "2026-05-01", **AMOUNTS}],
        "audit_log": [AUDIT_ROW],
    },
    "OpenedSessionAnswer": {
        "token": "the token of the session",
        "expires_at": LATER,
        "account_id": ACCOUNT_ID,
        "sub_user_id": SUB_USER_ID,
        "must_change_password": False,
        "permissions": ["assistants", "tools"],
        "assurance_level": "password",
        "step_up_required": False,
        "second_factors": [],
    },
    "IntrospectionAnswer": {
        "active": True,
        "account_id": ACCOUNT_ID,
        "sub_user_id": SUB_USER_ID,
        "permissions": ["assistants", "tools"],
        "must_change_password": False,
        "assurance_level": "password",
        "step_up_required": False,
        "expires_at": LATER,
        "allowed": True,
        "checks": [
            {
                "id": "reports",
                "permission": "reports",
                "resource": None,
                "allowed": False,
                "because": {"missing": "grant"},
            }
        ],
    },
    "OAuthIntrospectionAnswer": {
        "active": True,
        "sub": SUB_USER_ID,
        "scope": "assistants tools",
        "username": "grace@company.example",
        "name": "Grace Hopper",
        "client_id": API_KEY_ID,
        "exp": 1777651200,
        "token_type": "session",
        "account_id": ACCOUNT_ID,
        "must_change_password": False,
        "assurance_level": "password",
        "step_up_required": False,
    },
    "SecondFactorListAnswer": {"items": [SECOND_FACTOR], "recovery_codes": 10},
    "AddedSecondFactorAnswer": {
        "factor": SECOND_FACTOR,
        "session": OPENED_SESSION,
        "recovery_codes": RECOVERY_CODES_SHOWN,
    },
    "RecoveryCodesAnswer": {"recovery_codes": RECOVERY_CODES_SHOWN},
    "PasskeyChallengeAnswer": {
        "challenge_id": CHALLENGE_ID,
        "options": {"challenge": "Zm9yIGEgcGFzc2tleSB0byBzaWdu", "rpId": "subusers.example"},
        "expires_at": LATER,
    },
    "TotpOfferAnswer": {
        "challenge_id": CHALLENGE_ID,
        "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "uri": "otpauth://totp/subusers.example:grace%40company.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "qr_code": "<svg>…</svg>",
        "expires_at": LATER,
    },
    "RecordedAnswer": {"recorded": 1},
    "UsageAnswer": {
        "since": "2026-05-01",
        "until": "2026-05-02",
        "total": AMOUNTS,
        "days": [{"day": "2026-05-01", **AMOUNTS}],
        "sub_users": [{"sub_user_id": SUB_USER_ID, "name": "Grace Hopper", "visible": True, **AMOUNTS}],
        "deleted": NO_AMOUNTS,
        "plan": None,
    },
    "PlanAnswer": {"included_minutes": 1000, "included_tokens": 2000000, "period_start": "2026-05-01"},
    "AuditLogAnswer": {"items": [AUDIT_ROW], "next_cursor": None},
    "HistoryAnswer": {
        "items": [
            {
                **AUDIT_ROW,
                "event": "SubUserActivated",
                "account_version": 3,
                "request_id": "0f4c7d1e-3a52-4b6f-9c8e-7d2a1b0c9e8f",
                "in_words": "Company activated Grace Hopper.",
                "changes": {"status": {"before": "inactive", "after": "active"}},
            }
        ],
        "next_cursor": "the cursor of the next page",
        "state": None,
    },
    "EventsAnswer": {"items": [EVENT_EXAMPLE], "has_more": False, "next_cursor": None, "next_after": 8},
    "CheckpointListAnswer": {"items": [CHECKPOINT], "next_cursor": None},
    "SigningKeyListAnswer": {
        "items": [{"verifier_key": VERIFIER_KEY, "since": NOW, "tree_size": 0}],
        "next_cursor": None,
    },
    "ProofAnswer": {
        "checkpoint": CHECKPOINT_EXAMPLE,
        "keys": [VERIFIER_KEY],
        "event": {
            "position": 7,
            "stream_id": ACCOUNT_ID,
            "version": 3,
            "topic": "SubUserActivated",
            "state": "eyJ0aW1lc3RhbXAiOiAiMjAyNi0wNS0wMSJ9",
            "leaf": 6,
            "path": [HASH],
        },
    },
    "ConsistencyAnswer": {"first": 1000, "second": 1042, "path": [HASH]},
    "WebhookAnswer": WEBHOOK,
    "WebhookListAnswer": {"items": [WEBHOOK], "next_cursor": None},
    "WebhookKeyAnswer": WEBHOOK_KEY,
    "CreatedWebhookAnswer": {**WEBHOOK, **WEBHOOK_KEY},
    "WebhookTestAnswer": {
        "event_id": f"{WEBHOOK_ID}:test",
        "sent_at": NOW,
        "succeeded": True,
        "status": 204,
        "reason": None,
        "milliseconds": 48,
    },
    "WebhookDeliveryListAnswer": {
        "items": [
            {
                "event_id": f"{ACCOUNT_ID}:3",
                "type": "subusers.sub_user.activated.v1",
                "position": 7,
                "attempt": 1,
                "attempted_at": NOW,
                "status": 204,
                "reason": None,
                "milliseconds": 48,
                "error": None,
            }
        ],
        "next_cursor": None,
    },
    "ApiKeyAnswer": {
        "api_key_id": API_KEY_ID,
        "name": "portal",
        "scope": "portal",
        "expires_at": None,
        "allowed_addresses": None,
        "accounts": None,
    },
    "CatalogueAnswer": {"revision": 1, "permissions": [PERMISSION]},
    "ActivityTypesAnswer": {"revision": 1, "groups": [ACTIVITY_GROUP], "activity_types": [ACTIVITY_TYPE]},
    "RoleAnswer": ROLE,
    "RoleListAnswer": {"items": [OPERATOR_ROLE, ROLE]},
    "GrantAnswer": GRANT_ANSWER,
    "GrantListAnswer": {"items": [GRANT_ANSWER]},
    "SessionResourcesAnswer": {"all": False, "items": [RESOURCE], "next_cursor": None},
    "AccessAnswer": {
        "items": [{"sub_user_id": SUB_USER_ID, **REASON, "resource": RESOURCE, "expires_at": None, "position": 9}]
    },
    "DecisionAnswer": {"decision": True, "context": REASON},
    "EvaluationsAnswer": {
        "evaluations": [
            {"decision": True, "context": REASON},
            {"decision": False, "context": {"missing": "grant"}},
        ]
    },
    "SubjectSearchAnswer": {"page": {"next_token": "", "count": 1}, "results": [SUBJECT]},
    "ResourceSearchAnswer": {
        "page": {"next_token": "", "count": 1},
        "context": {"all": False},
        "results": [RESOURCE],
    },
    "ActionSearchAnswer": {"results": [{"name": "assistants"}]},
    "ConfigurationAnswer": {
        "policy_decision_point": "https://subusers.example",
        "access_evaluation_endpoint": "https://subusers.example/access/v1/evaluation",
        "access_evaluations_endpoint": "https://subusers.example/access/v1/evaluations",
        "search_subject_endpoint": "https://subusers.example/access/v1/search/subject",
        "search_resource_endpoint": "https://subusers.example/access/v1/search/resource",
        "search_action_endpoint": "https://subusers.example/access/v1/search/action",
    },
    "HealthAnswer": {"status": "ok"},
}
"""Example response bodies by schema name."""
