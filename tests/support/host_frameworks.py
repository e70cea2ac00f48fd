"""A host app in its framework, around an example of docs/integrate.md: started with the framework's name and the file.

Whom the header X-Signed-In names is signed in; a real host app knows that from its own session.
"""

import runpy
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

USER = "x-signed-in"
Example = dict[str, Any]


def serve_starlette(example: Example) -> None:
    import uvicorn  # noqa: PLC0415 - each process needs one framework
    from starlette.applications import Starlette  # noqa: PLC0415

    app = Starlette(routes=example["routes"])

    async def signed_in(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["session"] = {"user_id": dict(scope["headers"])[USER.encode()].decode()}
        await app(scope, receive, send)

    listening = socket.create_server(("127.0.0.1", 0))
    _tell(listening.getsockname()[1])
    uvicorn.Server(uvicorn.Config(signed_in, log_level="warning")).run([listening])


def serve_django(example: Example) -> None:
    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415

    def signed_in(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def middleware(request: Any) -> Any:
            request.session = {"user_id": request.headers[USER]}
            return get_response(request)

        return middleware

    sys.modules["host_middleware"] = type(sys)("host_middleware")
    vars(sys.modules["host_middleware"])["signed_in"] = signed_in
    settings.configure(
        ROOT_URLCONF=tuple(example["urlpatterns"]),
        SECRET_KEY="unused",
        ALLOWED_HOSTS=["127.0.0.1"],
        MIDDLEWARE=["host_middleware.signed_in"],
    )
    django.setup()
    _serve_wsgi(WSGIHandler())


def serve_flask(example: Example) -> None:
    import flask  # noqa: PLC0415

    app = flask.Flask("host")
    app.secret_key = "unused"
    app.register_blueprint(example["utilities"])

    @app.before_request
    def signed_in() -> None:
        flask.session["user_id"] = flask.request.headers[USER]

    _serve_wsgi(app)


def _serve_wsgi(app: Callable[..., Iterable[bytes]]) -> None:
    with make_server("127.0.0.1", 0, app) as server:
        _tell(server.server_port)
        server.serve_forever()


def _tell(port: int) -> None:
    print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201 - the test reads it


FRAMEWORKS = {"Starlette": serve_starlette, "Django": serve_django, "Flask": serve_flask}

if __name__ == "__main__":
    FRAMEWORKS[sys.argv[1]](runpy.run_path(str(Path(sys.argv[2]))))
