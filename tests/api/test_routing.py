"""Which route answers a path of the data plane."""

import pytest

from certworker.api.routing import Params, Route, Routes, methods_of

ROUTES = Routes(
    [
        Route(methods_of("POST"), "/keys/restore", "restore"),
        Route(methods_of("GET"), "/keys/{name}", "show"),
        Route(methods_of("PUT"), "/keys/{name}", "import"),
        Route(methods_of("GET"), "/keys/{name}/versions", "versions"),
        Route(methods_of("POST"), "/keys/{name}/sign", "sign"),
        Route(methods_of("GET"), "/keys/{name}/{version}", "version"),
        Route(methods_of("GET"), "/keys", "list"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "handler", "params"),
    [
        ("GET", "/keys", "list", {}),
        ("GET", "/keys/web", "show", {"name": "web"}),
        ("GET", "/keys/restore", "show", {"name": "restore"}),
        ("POST", "/keys/restore", "restore", {}),
        ("HEAD", "/keys/web", "show", {"name": "web"}),
        ("PUT", "/keys/web", "import", {"name": "web"}),
        ("GET", "/keys/{name}", "show", {"name": "{name}"}),
        ("GET", "/keys/web/versions", "versions", {"name": "web"}),
        ("GET", "/keys/web/1", "version", {"name": "web", "version": "1"}),
    ],
)
def test_the_first_route_that_fits_answers(method: str, path: str, handler: str, params: Params) -> None:
    """By verb and path; a name may be a word that stands in another path."""
    found = ROUTES.find(method, path)
    assert found
    assert (found[0].handler, found[1]) == (handler, params)


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed", "params"),
    [
        ("GET", "/", 404, None, {}),
        ("GET", "/key", 404, None, {}),
        ("GET", "/keys/web/1/2", 404, None, {}),
        ("POST", "/keys", 405, "GET, HEAD", {}),
        ("POST", "/keys/web", 405, "GET, HEAD, PUT", {"name": "web"}),
        ("DELETE", "/keys/restore", 405, "GET, HEAD, POST, PUT", {}),
        ("DELETE", "/keys/web/sign", 405, "GET, HEAD, POST", {"name": "web"}),
        ("get", "/keys/web", 405, "GET, HEAD, PUT", {"name": "web"}),
    ],
)
def test_what_no_route_fits_is_refused(method: str, path: str, status: int, allowed: str | None, params: Params) -> None:
    """With the verbs that the path has, and what stands in it for names."""
    assert ROUTES.find(method, path) is None
    refusal = ROUTES.refusal(path)
    assert (refusal.status_code, (refusal.headers or {}).get("Allow")) == (status, allowed)
    assert ROUTES.params(path) == params
