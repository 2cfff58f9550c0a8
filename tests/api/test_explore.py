import structlog
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback, colors=False)])
from application.api_keys import Scope
from api.http.app import create_app
import json, time
def test_explore(service, followers, company):
    app = create_app(service)
    app2 = create_app(service)
    assert app.extensions["subusers-openapi"] == app2.extensions["subusers-openapi"]
    open("/tmp/openapi.json","w").write(app.extensions["subusers-openapi"])
    key = service.api_keys.create(Scope.PORTAL, "portal", service.clock())
    c = app.test_client()
    H = {"Authorization": f"Bearer {key}"}
    def go(method, path, **kw):
        h = {**H, **kw.pop("headers", {})}
        t=time.time()
        r = c.open(path, method=method, headers=h, **kw)
        print(method, path[:100], r.status_code, round(time.time()-t,3), r.data[:400])
        return r
    a = company.account_id
    go("POST", "/v1/accounts", json={"email":"a@b.it","company_name":"X"})
    r = go("POST", f"/v1/accounts/{a}/sub-users", json={"email":"Grace@navy.mil","name":"Grace","surname":"Hopper"})
    print(dict(r.headers))
    s = r.json["sub_user_id"]
    go("POST", f"/v1/accounts/{a}/sub-users", json={"email":"Grace2@navy.mil","name":"Grace","surname":"Hopper","visible":1})
    go("GET", f"/v1/accounts/{a}/sub-users?sort=last_login_at&limit=1")
    go("GET", f"/v1/accounts/{a}/audit-log")
    go("GET", f"/v1/accounts/{a}/audit-log", headers={"Accept":""})
    go("GET", f"/v1//accounts/{a}/audit-log")
    go("GET", f"/v1/accounts//sub-users")
    for d in (100, 300,600, 900, 1500,5000,50000):
        body = '{"activities":[{"sub_user_id":"%s","action":"x","details":%s}]}' % (s, "["*d+"]"*d)
        go("POST", f"/v1/accounts/{a}/activities", data=body, content_type="application/json")
    body = '{"activities":[{"sub_user_id":"%s","action":"x","details":1e400}]}' % s
    go("POST", f"/v1/accounts/{a}/activities", data=body, content_type="application/json")
    go("GET", f"/v1/accounts/{a}/audit-log?limit=1")
    go("GET", f"/v1/accounts/{a}/audit-log?limit=1", headers={"X-Client-IP":"fe80::1%<x y>"})
    go("BREW", f"/v1/accounts/{a}/audit-log?limit=1")
    go("OPTIONS", f"/v1/accounts/{a}/audit-log?limit=1")
    go("GET", f"/v1/accounts/{a}/sub-users?q=%ff%fe")
    go("GET", f"/v1/accounts/{a}/sub-users?q=%00")
    go("GET", f"/v1/accounts/{a}/sub-users?limit=99999999999999999999999")
    go("GET", "/metrics")
