"""A portal with Flask. Start it: `SUBUSERS_URL=… SUBUSERS_API_KEY=… flask --app examples/flask_app.py run`."""

from __future__ import annotations

import os

from flask import Flask, Response, request

from subusers_client import InvalidRequest, LoginRefused, SessionEnded, SubusersError, TooManyRequests
from subusers_client.flask import Subusers, current_session, require_session

subusers = Subusers()


def create_app(**config: object) -> Flask:
    app = Flask(__name__)
    app.config["SUBUSERS_URL"] = os.environ.get("SUBUSERS_URL", "http://127.0.0.1:8000")
    app.config["SUBUSERS_API_KEY"] = os.environ.get("SUBUSERS_API_KEY", "")
    app.config.update(config)
    subusers.init_app(app)

    @app.post("/login")
    def log_in() -> Response:
        try:
            session = subusers.client.sessions.log_in(
                account_email=request.form["account_email"],
                email=request.form["email"],
                password=request.form["password"],
                client_ip=request.remote_addr,
            )
        except LoginRefused:
            return Response("wrong e-mail or password", 401)
        except TooManyRequests as error:
            return Response("too many attempts", 429, {"Retry-After": str(error.retry_after or 60)})
        except SubusersError:
            app.logger.exception("log-in failed")
            return Response("service unavailable", 503)
        response = Response("welcome")
        subusers.set_session_cookie(response, session)
        return response

    @app.post("/password")
    @require_session(allow_temporary_password=True)
    def change_password() -> Response:
        try:
            session = subusers.client.sessions.change_password(
                token=subusers.token,
                current_password=request.form["current_password"],
                new_password=request.form["new_password"],
            )
        except InvalidRequest as error:
            return Response(str(error.errors), 422)
        response = Response("changed")
        subusers.set_session_cookie(response, session)
        return response

    @app.post("/logout")
    def log_out() -> Response:
        try:
            subusers.client.sessions.log_out(token=subusers.token)
        except SessionEnded:
            pass
        except SubusersError:
            return Response("service unavailable", 503)
        response = Response("bye")
        subusers.delete_session_cookie(response)
        return response

    @app.get("/")
    @require_session()
    def home() -> str:
        return f"sub-user {current_session().sub_user_id}"

    @app.get("/assistants")
    @require_session("assistants")
    def assistants() -> str:
        return "assistants"

    @app.get("/assistants/<assistant_id>")
    @require_session("assistants", resource=("assistant", "assistant_id"))
    def assistant(assistant_id: str) -> str:
        return f"assistant {assistant_id}"

    @app.get("/billing")
    @require_session("billing_settings")
    def billing() -> str:
        return "billing"

    return app
