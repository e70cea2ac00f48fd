"""`events` with its filters, `events replay`, `endpoints` and `listen`, against a service in memory."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
import standardwebhooks
from click.testing import CliRunner, Result

from service.commands import event_log
from service.commands.api_client import ApiClient
from service.commands.main import main

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
TYPES = ["session.created", "session.connected", "connection.recorded"]


def event(number: int) -> dict[str, Any]:
    """Position 7, 14, 21, …, a minute apart, of three types, users and sessions in turn."""
    at = (NOON + timedelta(minutes=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    names = {"id": f"evt_{number}", "type": TYPES[number % 3], "sessionId": f"ses_{number % 3}"}
    return {
        **names,
        "seq": 7 * number,
        "at": at,
        "connectionId": None,
        "userId": "abc"[number % 3],
        "data": {"n": number},
    }


class Log(httpx.BaseTransport):
    """The service's log of 200 events."""

    def __init__(self, size: int = 200) -> None:
        self.events = [event(number) for number in range(1, size + 1)]
        self.requests: list[httpx.Request] = []
        self.interrupt_at_end = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "POST":
            body = {"id": "rpl_1", "endpointId": "whe_1", **json.loads(request.content)}
            return httpx.Response(202, json=body)
        if request.url.path == "/v1/webhook-endpoints":
            return httpx.Response(200, json={"data": [ENDPOINT], "next": None})
        query = request.url.params
        after, limit = int(query.get("after", 0)), int(query.get("limit", 25))
        rows = [one for one in self.events if one["seq"] > after][:limit]
        if not rows and "wait" in query:
            raise KeyboardInterrupt
        return httpx.Response(200, json={"data": rows, "next": str(rows[-1]["seq"] if rows else after)})


ENDPOINT = {
    "id": "whe_1",
    "url": "https://app.example.com/hooks",
    "status": "disabled",
    "disabledReason": "failing",
    "health": {
        "failingSince": "2027-01-15T08:00:00.000Z",
        "lastSuccessAt": None,
        "oldestPendingAt": "2027-01-15T09:00:00.000Z",
    },
}


@pytest.fixture
def log() -> Log:
    return Log()


def run(log: Log, *arguments: str) -> Result:
    result = CliRunner().invoke(main, list(arguments), obj=log)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def numbers(result: Result) -> list[int]:
    return [json.loads(line)["data"]["n"] for line in result.stdout.splitlines()]


TIMES_THAT_ARE_NONE = [
    *("", "yesterday", "2h30", "-1h", "99999999d", "999999d", "0001-01-01", "9999-12-31"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z"),
]


@pytest.mark.parametrize("since", TIMES_THAT_ARE_NONE)
@pytest.mark.parametrize("command", [["events"], ["events", "replay", "whe_1"]])
def test_a_time_that_cannot_be_read_is_refused(log: Log, command: list[str], since: str) -> None:
    result = run(log, *command, "--since", since)
    assert (result.exit_code, "is not a time" in result.stderr, log.requests) == (2, True, [])


@pytest.mark.parametrize("after", ["abc", "-1", "1.5", "1000000000000000"])
@pytest.mark.parametrize(
    "command", [["events"], ["events", "--tail", "2"], ["listen", "--forward-to", "http://a.test"]]
)
def test_a_cursor_that_is_no_position_is_refused(log: Log, command: list[str], after: str) -> None:
    result = run(log, *command, "--after", after)
    assert (result.exit_code, "Invalid value for '--after'" in result.stderr, log.requests) == (2, True, [])


@pytest.mark.parametrize("kind", ["session.foo", "sessions.*", "connection", "", "*.created"])
@pytest.mark.parametrize("command", [["events"], ["listen", "--forward-to", "http://a.test"]])
def test_a_type_that_no_event_has_is_refused(log: Log, command: list[str], kind: str) -> None:
    result = run(log, *command, "--type", "session.created", "--type", kind)
    assert (result.exit_code, f"{kind!r} is no type of event" in result.stderr, log.requests) == (2, True, [])


def test_times_are_given_or_counted_back() -> None:
    assert event_log.time_of("90s", NOON) == NOON - timedelta(seconds=90)
    assert event_log.time_of("7d", NOON) == NOON - timedelta(days=7)
    assert event_log.time_of("2027-01-15T12:00:00Z", NOON) == NOON
    assert event_log.time_of("2027-01-15T12:00:00", NOON) == NOON
    assert event_log.time_of("2027-01-15T13:00:00+01:00", NOON).isoformat() == NOON.isoformat()
    assert event_log.time_of("1970-01-01", NOON).year == 1970
    with pytest.raises(ValueError, match="soon"):
        event_log.time_of("soon", NOON)


def test_events_are_filtered_by_type_session_and_user(log: Log) -> None:
    assert numbers(run(log, "events", "--json", "--type", "connection.*"))[:3] == [2, 5, 8]
    assert numbers(run(log, "events", "--json", "--type", "session.created", "--type", "session.connected"))[:3] == [
        1,
        3,
        4,
    ]
    assert numbers(run(log, "events", "--json", "--session", "ses_0"))[:2] == [3, 6]
    assert numbers(run(log, "events", "--json", "--user", "b"))[:2] == [1, 4]


def test_events_since_a_time_are_found_without_reading_the_log(log: Log) -> None:
    since = event(150)["at"]
    assert numbers(run(log, "events", "--json", "--since", since)) == list(range(150, 201))
    assert len(log.requests) < 40
    assert min(int(one.url.params["after"]) for one in log.requests[-1:]) >= 7 * 140


def test_the_last_events_are_found_from_the_end(log: Log) -> None:
    assert numbers(run(log, "events", "--json", "--tail", "3")) == [198, 199, 200]
    assert numbers(run(log, "events", "--json", "--tail", "2", "--type", "connection.*")) == [197, 200]
    assert numbers(run(log, "events", "--json", "--tail", "0")) == []
    assert numbers(run(log, "events", "--json", "--tail", "500")) == list(range(1, 201))
    assert numbers(run(log, "events", "--json", "--tail", "5", "--since", event(198)["at"])) == [198, 199, 200]


def test_a_tail_can_be_followed(log: Log) -> None:
    result = CliRunner().invoke(main, ["events", "--json", "--tail", "1", "--follow"], obj=log)
    assert (numbers(result), result.exit_code) == ([200], 130)


def test_a_line_shows_the_data(log: Log) -> None:
    assert '{"n": 200}' in run(log, "events", "--tail", "1").stdout


def test_an_empty_log_ends_at_0() -> None:
    assert event_log.end(ApiClient("http://localhost:8000", None, Log(0))) == 0
    assert event_log.end(ApiClient("http://localhost:8000", None, Log(5))) == 35


def test_a_replay_is_asked_for(log: Log) -> None:
    result = run(log, "events", "replay", "whe_1", "--since", "2027-01-15T08:00:00Z")
    (request,) = log.requests
    assert request.url.path == "/v1/webhook-endpoints/whe_1/replay"
    assert json.loads(request.content) == {"since": "2027-01-15T08:00:00+00:00"}
    assert "rpl_1" in result.stdout


def test_endpoints_show_their_health(log: Log) -> None:
    lines = run(log, "endpoints").stdout.splitlines()
    assert lines[0].split("  ")[0] == "ENDPOINT"
    assert all(word in lines[1] for word in ("whe_1", "disabled failing", "failing", "2027-01-15T09:00:00.000Z"))
    assert json.loads(run(log, "endpoints", "--json").stdout) == [ENDPOINT]


class _Receiver(BaseHTTPRequestHandler):
    got: list[tuple[dict[str, str], bytes]]
    status = 204

    def do_POST(self) -> None:
        self.got.append((dict(self.headers.items()), self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    got: list[tuple[dict[str, str], bytes]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Handler", (_Receiver,), {"got": got}))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hooks", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_listening_posts_events_signed_like_a_delivery(
    log: Log, receiver: tuple[str, list[tuple[dict[str, str], bytes]]]
) -> None:
    url, got = receiver
    result = CliRunner().invoke(main, ["listen", "--forward-to", url, "--after", str(7 * 198)], obj=log)
    assert result.exit_code == 130  # the log has ended, and the test's service then interrupts
    key = result.stderr.split("Verify with ")[1].split()[0]
    assert len(got) == 2
    for (headers, body), number in zip(got, (199, 200), strict=True):
        assert standardwebhooks.Webhook(key).verify(body, headers)["data"] == event(number)
        assert json.loads(body)["type"] == event(number)["type"]
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["204", "204"]


def test_listening_begins_now_and_says_what_does_not_answer(log: Log) -> None:
    late = CliRunner().invoke(main, ["listen", "--forward-to", "http://127.0.0.1:9/"], obj=log)
    assert (late.exit_code, late.stdout) == (130, "")
    refused = CliRunner().invoke(main, ["listen", "--forward-to", "http://127.0.0.1:9/", "--after", "1393"], obj=log)
    assert refused.stdout.startswith("ConnectError")


@pytest.mark.parametrize(
    "target", ["", "bogus", "localhost:3000", "http://", "ftp://a.test", "http://[a", "http://a:b"]
)
def test_listening_does_not_begin_without_an_address_to_post_to(log: Log, target: str) -> None:
    result = run(log, "listen", "--forward-to", target)
    assert (result.exit_code, "is not an address to post to" in result.stderr, log.requests) == (2, True, [])
