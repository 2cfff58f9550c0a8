// A portal in Express: a sign-in page, one protected page, and log-out.
// Start it: export SUBUSERS_URL=… SUBUSERS_API_KEY=…; npm ci && npm run build && npm start

import cookieParser from "cookie-parser";
import express, { type NextFunction, type Request, type Response } from "express";
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const subusers = createClient<paths>({
  baseUrl: process.env.SUBUSERS_URL,
  headers: { Authorization: `Bearer ${process.env.SUBUSERS_API_KEY}` },
  fetch: (request) => fetch(request, { signal: AbortSignal.timeout(5000) }),
});
const cookie = { httpOnly: true, sameSite: "lax", secure: true } as const;
const app = express().use(cookieParser(), express.urlencoded());

const signInPage = (message = "") => `<!doctype html><title>Sign in</title><p>${message}</p><form method=post>
  <input name=account_email placeholder="Main account e-mail"><input name=email placeholder="Your e-mail">
  <input name=password type=password placeholder=Password><button>Sign in</button></form>`;
const assistantsPage = (id: string) => `<!doctype html><title>Assistants</title><p>Signed in as ${id}</p>
  <form method=post action="/logout"><button>Log out</button></form>`;

app.get("/login", (_request, response) => void response.send(signInPage()));

app.post("/login", async (request, response) => {
  const { account_email = "", email = "", password = "" } = request.body ?? {};
  const headers = { "X-Client-IP": request.ip, "X-Client-User-Agent": request.get("User-Agent") };
  const { data, error } = await subusers.POST("/v1/sessions", { body: { account_email, email, password }, headers });
  if (data) response.cookie("session", data.token, cookie).redirect(303, "/");
  else if (isProblem(error, "login-refused", "invalid-input")) response.status(401).send(signInPage("wrong password"));
  else if (isProblem(error, "too-many-attempts")) response.status(429).send(signInPage("too many attempts"));
  else throw error;
});

app.get("/", async (request, response) => {
  const token = request.cookies.session;
  if (!token) return response.redirect(303, "/login");
  const { data, error } = await subusers.POST("/v1/sessions/introspect", { body: { token, permission: "assistants" } });
  if (!data) throw error;
  if (!data.active) return response.redirect(303, "/login");
  if (!data.allowed) return void response.status(403).send("missing permission");
  response.set("Cache-Control", "no-store").send(assistantsPage(data.sub_user_id ?? ""));
});

app.post("/logout", async (request, response) => {
  const header = { "Session-Token": request.cookies.session ?? "" };
  const { error } = await subusers.DELETE("/v1/sessions/current", { params: { header } });
  if (error && !isProblem(error, "session-ended", "invalid-input")) throw error;
  response.clearCookie("session", cookie).redirect(303, "/login");
});

app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
  console.error(error);
  response.status(503).send("service unavailable");
});

const isProblem = (error: { type?: string } | undefined, ...types: string[]) =>
  types.some((type) => error?.type === `urn:subusers:problem:${type}`);
app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1");
