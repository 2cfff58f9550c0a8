"""The same story as openapi_python_client_story.py, with a client of openapi-generator."""

import sys

from generated_client import (
    AccountsApi,
    ApiClient,
    Configuration,
    Introspection,
    Login,
    NewAccount,
    NewSubUser,
    Problem,
    ProblemType,
    SessionsApi,
    SubUserPatch,
    SubUsersApi,
    SubUserStatus,
)

url, api_key, email = sys.argv[1:]
PASSWORD = "four grey herons on a jetty"
SUB_USER_EMAIL = "grace@company.example"

client = ApiClient(Configuration(host=url, access_token=api_key))
accounts, sub_users, sessions = AccountsApi(client), SubUsersApi(client), SessionsApi(client)
account = accounts.create_account(NewAccount(email=email, company_name="Company", language="it"))
new_sub_user = NewSubUser(email=SUB_USER_EMAIL, name="Grace", surname="Hopper", password=PASSWORD)
sub_user = sub_users.create_sub_user(account.account_id, new_sub_user)
repeated = sub_users.create_sub_user_without_preload_content(account.account_id, new_sub_user)
problem = Problem.from_json(repeated.data.decode())
assert problem.type is ProblemType.URN_COLON_SUBUSERS_COLON_PROBLEM_COLON_SUB_MINUS_USER_MINUS_EMAIL_MINUS_TAKEN, (
    problem
)

activation = SubUserPatch(status=SubUserStatus.ACTIVE)
changed = sub_users.change_sub_user(account.account_id, sub_user.sub_user_id, activation)
assert changed.status is SubUserStatus.ACTIVE
page = sub_users.list_sub_users(account.account_id, status=SubUserStatus.ACTIVE)
assert [item.sub_user_id for item in page.items] == [sub_user.sub_user_id]

session = sessions.log_in(Login(account_email=email, email=SUB_USER_EMAIL, password=PASSWORD))
state = sessions.introspect_session(Introspection(token=session.token))
assert (state.active, state.sub_user_id) == (True, sub_user.sub_user_id)
print("done")
