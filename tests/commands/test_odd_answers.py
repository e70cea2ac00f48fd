"""Commands that reach another service than ours, or are in an environment that cannot be used: one line each."""

import httpx
import pytest
from click.testing import CliRunner, Result

from service.commands import main
from service.commands.api_client import ApiClient, CommandError

COMMANDS = {
    "sessions": ["sessions"],
    "connections": ["connections", "--unattributed"],
    "endpoints": ["endpoints"],
    "events": ["events"],
    "the last event": ["events", "--tail", "1"],
    "replay": ["events", "replay", "whe_1", "--since", "2h"],
    "link": ["link", "--user", "ada", "--company", "acme", "--site", "hq"],
    "listen": ["listen", "--forward-to", "http://127.0.0.1:1"],
}
ODD = {
    "no field of ours": (200, b'{"args": {}}'),
    "rows that are no objects": (200, b'{"data": ["a"], "next": null}'),
    "null for a row": (200, b'{"data": [null], "next": null}'),
    "deeply nested": (200, b"[" * 100_000),
    "errors as texts": (422, b'{"errors": ["name is blank"]}'),
    "errors by field": (422, b'{"errors": {"name": ["is blank"]}}'),
    "a number of errors": (422, b'{"errors": 5}'),
}


def run(arguments: list[str], answer: httpx.Response, **env: str) -> Result:
    cleared = {"MAGICLINK_PUBLIC_URL": None, "MAGICLINK_API_KEY": None, "MAGICLINK_API_KEY_FILE": None, **env}
    return CliRunner(env=cleared).invoke(main.main, arguments, obj=httpx.MockTransport(lambda _: answer))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_answer_of_another_service_is_said_in_one_line(command: str, odd: str) -> None:
    status, body = ODD[odd]
    result = run(COMMANDS[command], httpx.Response(status, content=body))
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert result.stderr.startswith("Error: ")
    assert "failed unexpectedly" not in result.stderr


@pytest.mark.parametrize(
    "command", [["events", "--tail", "1"], ["listen", "--forward-to", "http://127.0.0.1:1", "--after", "0"]]
)
def test_an_event_without_its_fields_is_no_event_of_ours(command: list[str]) -> None:
    result = run(command, httpx.Response(200, json={"data": [{}], "next": None}))
    assert (result.exit_code, "not as magiclink does" in result.stderr) == (1, True)


@pytest.mark.parametrize("url", ["http://a..b", f"http://{'a' * 64}.example"])
def test_a_name_that_none_can_have_is_no_address(url: str) -> None:
    with pytest.raises(CommandError, match="--url"):
        ApiClient(url, "key")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HTTP_PROXY", "proxy:port", "HTTP_PROXY"),
        ("ALL_PROXY", "gopher://proxy", "ALL_PROXY"),
        ("SSL_CERT_FILE", "/nonexistent/certificates.pem", "SSL_CERT_FILE"),
    ],
)
def test_a_variable_from_which_no_client_can_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(CommandError, match=said):
        ApiClient("https://link.example.com", "key")
