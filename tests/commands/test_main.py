import json
import time
import webbrowser
from pathlib import Path
from typing import Literal

import httpx
import pytest
from click.testing import CliRunner, Result

from service import __version__
from service.commands import admin, main
from service.commands.provider_probes import Finding
from service.settings import Settings

SESSION = {
    "id": "ses_1",
    "status": "created",
    "userId": "ada",
    "link": {"kind": "invitation", "status": "pending"},
    "connections": [],
    "redirectUrl": "http://localhost:8000/connect/token",
    "createdAt": "2026-01-01T00:00:00Z",
    "expiresAt": "2026-01-01T01:00:00Z",
}
LINK = ["link", "--user", "ada", "--company", "acme=Acme Ltd", "--site", "hq=Headquarters"]


class Requests(list[httpx.Request]):
    """One answer for everything, and what was asked for it."""

    def __init__(self, body: object = None, status: int = 200) -> None:
        super().__init__()
        self.answer = httpx.Response(status, json=body)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.append(request)
        return self.answer


def magiclink(*arguments: str, requests: Requests | None = None, env: dict[str, str | None] | None = None) -> Result:
    cleared = {"MAGICLINK_PUBLIC_URL": None, "MAGICLINK_API_KEY": None, "MAGICLINK_API_KEY_FILE": None, **(env or {})}
    return CliRunner(env=cleared).invoke(
        main.main, arguments, obj=httpx.MockTransport(Requests({}) if requests is None else requests)
    )


def test_help_names_the_commands() -> None:
    said = magiclink("--help").output
    assert [line.split()[0] for line in said.split("Commands:")[1].splitlines() if line.strip()] == list(
        main.main.commands
    )


def test_the_version_is_printed() -> None:
    assert __version__ in magiclink("--version").output


def test_link_prints_the_url_alone_on_standard_output() -> None:
    requests = Requests(SESSION, 201)
    result = magiclink(*LINK, requests=requests)
    assert (result.exit_code, result.stdout) == (0, "http://localhost:8000/connect/token\n")
    assert "ses_1" in result.stderr
    assert json.loads(requests[0].content) == {
        "userId": "ada",
        "company": {"externalId": "acme", "name": "Acme Ltd"},
        "sites": [{"externalId": "hq", "name": "Headquarters"}],
    }


def test_link_asks_for_the_kind_that_is_given_and_leaves_it_to_the_service_otherwise() -> None:
    requests = Requests(SESSION, 201)
    magiclink(*LINK, "--link", "magic_link", requests=requests)
    assert json.loads(requests[0].content)["link"] == "magic_link"


@pytest.mark.parametrize(("level", "code"), [("good", 0), ("note", 0), ("bad", 1)])
def test_the_doctor_fails_only_for_what_stops_a_deployment(
    monkeypatch: pytest.MonkeyPatch, level: Literal["good", "note", "bad"], code: int
) -> None:
    async def examine(_settings: Settings) -> list[Finding]:
        return [Finding(level, "clock", "is a clock")]

    monkeypatch.setattr(admin, "examine", examine)
    env: dict[str, str | None] = {
        "MAGICLINK_SECRET_KEYS": "k" * 32,
        "MAGICLINK_PUBLIC_URL": "http://localhost:8000",
        "MAGICLINK_PROVIDER_API_KEY": "k",
    }
    result = magiclink("doctor", env=env)
    assert (result.exit_code, result.stdout.splitlines()[1].split()) == (
        code,
        [level, "clock", "tested", "is", "a", "clock"],
    )


def test_link_opens_a_browser_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert magiclink(*LINK, "--open", requests=Requests(SESSION, 201)).exit_code == 0
    assert opened == ["http://localhost:8000/connect/token"]


@pytest.mark.parametrize(("option", "line"), [([], "session connected"), (["--json"], '"status": "connected"')])
def test_waiting_prints_what_changes(monkeypatch: pytest.MonkeyPatch, option: list[str], line: str) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    answers = [Requests({**SESSION, "status": "connected"}).answer, Requests(SESSION, 201).answer]
    transport = httpx.MockTransport(lambda _: answers.pop())
    result = CliRunner().invoke(main.main, [*LINK, "--wait", *option], obj=transport)
    assert result.exit_code == 0
    assert line in result.stdout.splitlines()[-1]


def test_link_for_machines_is_the_session() -> None:
    assert json.loads(magiclink(*LINK, "--json", requests=Requests(SESSION, 201)).stdout) == SESSION


@pytest.mark.parametrize(
    ("status", "code"),
    [("connected", 0), ("submitted", 10), ("exited", 11), ("failed", 12), ("expired", 13), ("revoked", 14)],
)
def test_waiting_ends_with_the_session_and_says_how(status: str, code: int) -> None:
    assert magiclink(*LINK, "--wait", requests=Requests({**SESSION, "status": status}, 201)).exit_code == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["link", "--user", "ada"],
        ["link", "--link", "carrier-pigeon"],
        ["sessions", "--limit", "0"],
        ["dev", "--port", "70000"],
        ["dev", "--data-delay", "soon"],
        ["teleport"],
    ],
)
def test_wrong_usage_is_explained_with_code_2(arguments: list[str]) -> None:
    result = magiclink(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_a_refusal_is_one_line_with_code_1() -> None:
    result = magiclink("sessions", requests=Requests({"code": "rate_limited", "detail": "Slow down"}, 429))
    assert (result.exit_code, result.stderr) == (1, "Error: Refused (rate_limited): Slow down\n")


def test_address_and_key_come_from_the_environment() -> None:
    requests = Requests({"data": [], "next": None})
    env: dict[str, str | None] = {"MAGICLINK_PUBLIC_URL": "https://link.example.com", "MAGICLINK_API_KEY": "k1"}
    magiclink("sessions", requests=requests, env=env)
    assert str(requests[0].url).startswith("https://link.example.com/v1/sessions")
    assert requests[0].headers["authorization"] == "Bearer k1"


def test_options_beat_the_environment() -> None:
    requests = Requests({"data": [], "next": None})
    env: dict[str, str | None] = {"MAGICLINK_PUBLIC_URL": "https://link.example.com", "MAGICLINK_API_KEY": "k1"}
    magiclink("sessions", "--base-url", "http://localhost:1", "--api-key", "k2", requests=requests, env=env)
    assert str(requests[0].url).startswith("http://localhost:1/")
    assert requests[0].headers["authorization"] == "Bearer k2"


def test_the_key_may_come_from_a_file_as_for_the_service(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("k3\n")
    requests = Requests({"data": [], "next": None})
    env: dict[str, str | None] = {"MAGICLINK_API_KEY_FILE": str(tmp_path / "api_key")}
    magiclink("sessions", requests=requests, env=env)
    assert requests[0].headers["authorization"] == "Bearer k3"
    magiclink("sessions", "--key", "k2", requests=requests, env=env)
    assert requests[1].headers["authorization"] == "Bearer k2"
    both = magiclink("sessions", requests=requests, env=env | {"MAGICLINK_API_KEY": "k1"})
    assert (both.exit_code, "both set" in both.stderr, len(requests)) == (1, True, 2)
    absent = magiclink("sessions", requests=requests, env={"MAGICLINK_API_KEY_FILE": str(tmp_path / "absent")})
    assert (absent.exit_code, absent.stderr) == (
        1,
        "Error: MAGICLINK_API_KEY_FILE names a file that cannot be read as text in UTF-8\n",
    )


def test_sessions_are_a_table() -> None:
    result = magiclink("sessions", "--user", "ada", requests=Requests({"data": [SESSION], "next": None}))
    assert result.stdout.splitlines()[0].startswith("SESSION")
    assert "ses_1" in result.stdout


def test_nothing_found_is_said_beside_the_output() -> None:
    result = magiclink("connections", requests=Requests({"data": [], "next": None}))
    assert (result.stdout, result.stderr) == ("", "No connections.\n")


@pytest.mark.parametrize("command", ["sessions", "connections"])
def test_lists_for_machines_are_json(command: str) -> None:
    result = magiclink(command, "--json", requests=Requests({"data": [SESSION], "next": None}))
    assert json.loads(result.stdout) == [SESSION]


def test_events_are_lines_and_objects_for_machines() -> None:
    event = {"id": "evt_1", "type": "session.created", "at": "2026-01-01T00:00:00Z", "sessionId": "ses_1"}
    requests = Requests({"data": [event], "next": None})
    assert "session.created" in magiclink("events", requests=requests).stdout
    assert json.loads(magiclink("events", "--json", requests=requests).stdout) == event


def test_an_interrupted_command_ends_quietly() -> None:
    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    result = CliRunner().invoke(main.main, ["events", "--follow"], obj=httpx.MockTransport(interrupt))
    assert (result.exit_code, result.output) == (130, "")


@pytest.mark.parametrize(
    ("charset", "shown"), [("latin-1", "W?adys?aw \u00e4"), ("utf-8", "W\u0142adys\u0142aw \u00e4")]
)
def test_a_console_that_cannot_show_a_character_replaces_it(charset: str, shown: str) -> None:
    rows = {"data": [SESSION | {"userId": "W\u0142adys\u0142aw \u00e4"}], "next": None}
    runner = CliRunner(env={"MAGICLINK_PUBLIC_URL": None, "MAGICLINK_API_KEY": None}, charset=charset)
    result = runner.invoke(main.main, ["sessions"], obj=httpx.MockTransport(Requests(rows)))
    assert result.exit_code == 0, result.stderr
    assert shown in result.stdout
