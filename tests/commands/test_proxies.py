"""A proxy of the environment: bypassed for this machine, named where it stands in the way."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from service.commands.api_client import ApiClient, CommandError, ServiceUnreachable
from service.commands.proxies import proxy_variable


class _AnyService(BaseHTTPRequestHandler):
    """Answers everything as an empty list."""

    def do_GET(self) -> None:
        body = b'{"data": [], "next": null}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def proxy_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://user:hunter2@127.0.0.1:9")


@pytest.mark.usefixtures("proxy_that_is_away")
def test_a_proxy_is_not_asked_for_what_runs_on_this_machine() -> None:
    with HTTPServer(("127.0.0.1", 0), _AnyService) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with ApiClient(f"http://127.0.0.1:{server.server_port}", None) as client:
            assert client.rows("/v1/sessions", {}, 1) == []
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("proxy_that_is_away")
def test_a_proxy_that_stands_in_the_way_is_named_without_its_password() -> None:
    with ApiClient("http://link.example.com", "key") as client, pytest.raises(ServiceUnreachable) as caught:
        client.get("/v1/sessions")
    said = str(caught.value)
    assert "the proxy of HTTP_PROXY; NO_PROXY=link.example.com makes it go directly" in said
    assert "hunter2" not in said
    odd = ApiClient("http://link.example.com", "key", httpx.MockTransport(lambda _: httpx.Response(403, text="no")))
    with odd, pytest.raises(CommandError, match="the proxy of HTTP_PROXY"):
        odd.get("/v1/sessions")


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({}, None),
        ({"https_proxy": "http://p"}, "https_proxy"),
        ({"HTTPS_PROXY": "http://p"}, "HTTPS_PROXY"),
        ({"ALL_PROXY": "http://p"}, "ALL_PROXY"),
        ({"HTTP_PROXY": "http://p"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": ".example.com"}, None),
        ({"HTTPS_PROXY": "http://p", "no_proxy": "*"}, None),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "other.example"}, "HTTPS_PROXY"),
    ],
)
def test_the_variable_of_a_proxy_is_found(environ: dict[str, str], variable: str | None) -> None:
    assert proxy_variable("https", "link.example.com", environ) == variable
