// The same story as openapi_python_client_story.py, with a client of @hey-api/openapi-ts.
import { changeSubUser, createAccount, createSubUser, introspectSession, listSubUsers, logIn } from "./client";
import { createClient } from "./client/client";

declare const process: { argv: string[] };
const [, , url, apiKey, email] = process.argv;
const password = "four grey herons on a jetty";
const subUserEmail = "grace@company.example";

function requireThat(condition: boolean, message: unknown): asserts condition {
  if (!condition) throw new Error(JSON.stringify(message));
}

async function main(): Promise<void> {
  const client = createClient({ baseUrl: url as `http://${string}`, auth: apiKey });
  const { data: account, error } = await createAccount({ client, body: { email, company_name: "Company" } });
  requireThat(account !== undefined, error);
  const path = { account_id: account.account_id };

  const body = { email: subUserEmail, name: "Grace", surname: "Hopper", password };
  const created = await createSubUser({ client, path, body });
  requireThat(created.data !== undefined, created.error);
  const repeated = await createSubUser({ client, path, body });
  requireThat(repeated.error?.type === "urn:subusers:problem:sub-user-email-taken", repeated.error);

  const itemPath = { ...path, sub_user_id: created.data.sub_user_id };
  const changed = await changeSubUser({ client, path: itemPath, body: { status: "active" } });
  requireThat(changed.data?.status === "active", changed.error);
  const { data: page } = await listSubUsers({ client, path, query: { status: "active" } });
  requireThat(page?.items.length === 1 && page.items[0]?.sub_user_id === itemPath.sub_user_id, page);

  const login = await logIn({ client, body: { account_email: email, email: subUserEmail, password } });
  requireThat(login.data !== undefined, login.error);
  const { data: state } = await introspectSession({ client, body: { token: login.data.token } });
  requireThat(state?.active === true && state.sub_user_id === itemPath.sub_user_id, state);
  console.log("done");
}

void main();
