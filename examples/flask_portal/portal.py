"""A portal in Flask: a sign-in page, one protected page, and log-out.

Start it: `FLASK_SUBUSERS_URL=… FLASK_SUBUSERS_API_KEY=… flask --app portal run`
"""

from contextlib import suppress

from flask import Flask, Response, make_response, redirect, render_template_string, request
from subusers_client import InvalidRequest, LoginRefused, SessionEnded, SubusersError, TooManyRequests
from subusers_client.flask import Subusers, current_session, require_session

SIGN_IN_PAGE = """<!doctype html><title>Sign in</title><p>{{ message }}</p><form method=post>
<input name=account_email placeholder="Main account e-mail"><input name=email placeholder="Your e-mail">
<input name=password type=password placeholder=Password><button>Sign in</button></form>"""
ASSISTANTS_PAGE = """<!doctype html><title>Assistants</title><p>Signed in as {{ session.sub_user_id }}</p>
<form method=post action="/logout"><button>Log out</button></form>"""


def create_app(**config: object) -> Flask:
    app = Flask(__name__)
    app.config.update(SUBUSERS_LOGIN_URL="/login", **config)
    app.config.from_prefixed_env()
    subusers = Subusers(app)

    @app.get("/login")
    def sign_in_page(message: str = "", status: int = 200) -> Response:
        return make_response(render_template_string(SIGN_IN_PAGE, message=message), status)

    @app.post("/login")
    def sign_in() -> Response:
        credentials = {name: request.form.get(name, "") for name in ("account_email", "email", "password")}
        try:
            session = subusers.client.sessions.log_in(**credentials, client_ip=request.remote_addr)
        except (LoginRefused, InvalidRequest):
            return sign_in_page("wrong password", 401)
        except TooManyRequests:
            return sign_in_page("too many attempts: try again later", 429)
        response = make_response(redirect("/", 303))
        subusers.set_session_cookie(response, session)
        return response

    @app.get("/")
    @require_session("assistants")
    def assistants() -> str:
        return render_template_string(ASSISTANTS_PAGE, session=current_session())

    @app.post("/logout")
    def log_out() -> Response:
        with suppress(SessionEnded):
            subusers.client.sessions.log_out(token=subusers.token)
        response = make_response(redirect("/login", 303))
        subusers.delete_session_cookie(response)
        return response

    app.register_error_handler(SubusersError, lambda _error: ("service unavailable", 503))
    return app
