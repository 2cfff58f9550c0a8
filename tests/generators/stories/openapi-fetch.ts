// The same story as openapi_python_client_story.py, with types of openapi-typescript and the client openapi-fetch.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

declare const process: { argv: string[] };
const [, , url, apiKey, email] = process.argv;
const password = "four grey herons on a jetty";
const subUserEmail = "grace@company.example";

function requireThat(condition: boolean, message: unknown): asserts condition {
  if (!condition) throw new Error(JSON.stringify(message));
}

async function main(): Promise<void> {
  // The second type parameter leaves out CSV and NDJSON, which some routes have, too.
  const client = createClient<paths, "application/json" | "application/problem+json">({
    baseUrl: url,
    headers: { Authorization: `Bearer ${apiKey}` },
  });
  const { data: account, error } = await client.POST("/v1/accounts", { body: { email, company_name: "Company" } });
  requireThat(account !== undefined, error);
  const path = { account_id: account.account_id };

  const body: components["schemas"]["NewSubUser"] = { email: subUserEmail, name: "Grace", surname: "Hopper", password };
  const created = await client.POST("/v1/accounts/{account_id}/sub-users", { params: { path }, body });
  requireThat(created.data !== undefined, created.error);
  const repeated = await client.POST("/v1/accounts/{account_id}/sub-users", { params: { path }, body });
  requireThat(repeated.error?.type === "urn:subusers:problem:sub-user-email-taken", repeated.error);

  const itemPath = { ...path, sub_user_id: created.data.sub_user_id };
  const changed = await client.PATCH("/v1/accounts/{account_id}/sub-users/{sub_user_id}", {
    params: { path: itemPath },
    body: { status: "active" },
  });
  requireThat(changed.data?.status === "active", changed.error);

  const query = { status: "active" } as const;
  const { data: page } = await client.GET("/v1/accounts/{account_id}/sub-users", { params: { path, query } });
  requireThat(page?.items.length === 1 && page.items[0]?.sub_user_id === itemPath.sub_user_id, page);

  const { data: auditLog } = await client.GET("/v1/accounts/{account_id}/audit-log", { params: { path } });
  requireThat(auditLog !== undefined && auditLog.items.some((row) => row.action === "sub_user.activated"), auditLog);

  const login = await client.POST("/v1/sessions", {
    body: { account_email: email, email: subUserEmail, password },
    params: { header: { "X-Client-IP": "192.0.2.1" } },
  });
  requireThat(login.data !== undefined, login.error);
  const { data: state } = await client.POST("/v1/sessions/introspect", { body: { token: login.data.token } });
  requireThat(state?.active === true && state.sub_user_id === itemPath.sub_user_id, state);
  console.log("done");
}

void main();
