"""Register an account, and create, activate, list, log in and introspect a sub-user: with openapi-python-client.

The arguments are the URL of the service, an API key with scope portal, and an e-mail address for the account.
"""

import sys

from generated_client import AuthenticatedClient
from generated_client.api.accounts import create_account
from generated_client.api.sessions import introspect_session, log_in
from generated_client.api.sub_users import change_sub_user, create_sub_user, list_sub_users
from generated_client.models import (
    AccountAnswer,
    Introspection,
    IntrospectionAnswer,
    Language,
    Login,
    NewAccount,
    NewSubUser,
    OpenedSessionAnswer,
    Problem,
    ProblemType,
    SubUserAnswer,
    SubUserListAnswer,
    SubUserPatch,
    SubUserStatus,
)

url, api_key, email = sys.argv[1:]
PASSWORD = "four grey herons on a jetty"
SUB_USER_EMAIL = "grace@company.example"

client = AuthenticatedClient(base_url=url, token=api_key)
account = create_account.sync(
    client=client, body=NewAccount(email=email, company_name="Company", language=Language.IT), x_client_ip="192.0.2.1"
)
assert isinstance(account, AccountAnswer), account
assert account.language is Language.IT

new_sub_user = NewSubUser(email=SUB_USER_EMAIL, name="Grace", surname="Hopper", password=PASSWORD)
sub_user = create_sub_user.sync(account.account_id, client=client, body=new_sub_user)
assert isinstance(sub_user, SubUserAnswer), sub_user
refused = create_sub_user.sync(account.account_id, client=client, body=new_sub_user)
assert isinstance(refused, Problem), refused
assert refused.type_ is ProblemType.URNSUBUSERSPROBLEMSUB_USER_EMAIL_TAKEN, refused
invalid = create_sub_user.sync(
    account.account_id, client=client, body=NewSubUser(email="none", name="Grace", surname="Hopper")
)
assert isinstance(invalid, Problem), invalid
assert invalid.errors["email"], invalid

activation = SubUserPatch(status=SubUserStatus.ACTIVE)
changed = change_sub_user.sync(account.account_id, sub_user.sub_user_id, client=client, body=activation)
assert isinstance(changed, SubUserAnswer), changed
assert changed.status is SubUserStatus.ACTIVE

sub_users = list_sub_users.sync(account.account_id, client=client, status=SubUserStatus.ACTIVE)
assert isinstance(sub_users, SubUserListAnswer), sub_users
assert [item.sub_user_id for item in sub_users.items] == [sub_user.sub_user_id]

session = log_in.sync(
    client=client, body=Login(account_email=email, email=SUB_USER_EMAIL, password=PASSWORD), x_client_ip="192.0.2.1"
)
assert isinstance(session, OpenedSessionAnswer), session
state = introspect_session.sync(client=client, body=Introspection(token=session.token))
assert isinstance(state, IntrospectionAnswer), state
assert (state.active, state.sub_user_id) == (True, sub_user.sub_user_id)
print("done")
