"""Lines that machines read and that hold no secret."""

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.model import SessionId, Tenant, UserId
from service.domain.tokens import CallbackState, PageToken, SessionResult
from service.signing import Signer
from service.telemetry.access import Answered, log_request
from service.telemetry.logs import JsonLines, PlainLines, configure, redact, request_id, request_scope
from tests.support.patience import PATIENCE_SECONDS

KEY = "k" * 32
SIGNER = Signer([KEY])
TOKEN = SIGNER.embed_token(PageToken(SessionId("ses_0123456789abcdef"), 1, 1_800_000_000), SIGNER.newest_key_id)
STATE = SIGNER.sign_state(CallbackState(SessionId("ses_0123456789abcdef"), UserId("user-42"), 3))
RESULT = SIGNER.sign_result(
    SessionResult(SessionId("ses_0"), Tenant("default"), UserId("u" * 60), "connected", "c" * 36, 1)
)
RANDOM = "q0JQ1vZ3Jb1c9mR5uWkz7S-TnYx2_dLfEa8hGiKpXoM"


def line(record: logging.LogRecord, *secrets: str) -> dict[str, Any]:
    text = JsonLines(secrets).format(record)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("service.web", logging.INFO, "web.py", 1, message, args, None)
    made.created = 1_767_693_600.25
    made.__dict__.update(extra)
    return made


def test_a_line_says_when_where_and_what() -> None:
    assert line(record("made %s", "ses_1", sessionId="ses_1", seconds=0.25, nothing=None, site=["a"])) == {
        "at": "2026-01-06T10:00:00.250+00:00",
        "level": "info",
        "logger": "service.web",
        "message": "made ses_1",
        "sessionId": "ses_1",
        "seconds": 0.25,
        "site": "['a']",
    }


def test_a_stranger_cannot_write_a_line_of_their_own() -> None:
    assert line(record('x\n{"level": "info"}\u2028'))["message"] == 'x\n{"level": "info"}\u2028'


def test_a_line_carries_the_id_of_its_request() -> None:
    assert request_id() is None
    with request_scope("req_1"):
        assert request_id() == "req_1"
        assert line(record("x"))["requestId"] == "req_1"
    assert "requestId" not in line(record("x"))


def test_an_error_is_one_line_too_and_keeps_no_secret() -> None:
    made = record("failed")
    try:
        int(f"https://pages.example.com/p/i/{RANDOM}")
    except ValueError:
        made.exc_info = sys.exc_info()
    error = line(made)["error"]
    assert "ValueError: invalid literal for int() with base 10: 'https://pages.example.com/p/i/…'" in error
    assert RANDOM not in error


def test_known_secrets_go_wherever_they_stand_even_one_inside_another() -> None:
    found = line(record("key=%s", "abcdefgh-and-more", other="abcdefgh"), "abcdefgh", "abcdefgh-and-more", "dev", "")
    assert (found["message"], found["other"]) == ("key=…", "…")


@pytest.mark.parametrize("token", [TOKEN, STATE, RESULT])
def test_whatever_we_sign_is_removed(token: str) -> None:
    for text in (token, f"token {token}, and more", f"https://link.example.com/embed/{token}?x=1", f"'{token}'"):
        assert token not in redact(text)
        assert token[-20:] not in redact(text)
    assert redact(f"see {token}") == "see …"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw= x", "whsec_… x"),
        (f"key mlk_{RANDOM}", "key mlk_…"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer …"),
        ("{'authorization': 'Bearer abc'}", "{'authorization': 'Bearer …'}"),
        ("bearer dev-key", "bearer …"),
        ("X-API-Key: provider-key", "X-API-Key: …"),
        ("{'x-api-key': 'provider-key'}", "{'x-api-key': '…'}"),
        ("https://p.example/p/connect/pub/s3cret", "https://p.example/p/connect/…/…"),
        ("https://p.example/p/connect/pub/workflow/s3cret?x=1", "https://p.example/p/connect/…/workflow/…?x=1"),
        ("https://p.example/p/i/abc#f", "https://p.example/p/i/…#f"),
        ("/create-datasource/magic-link/c1/s3cret/connect", "/create-datasource/magic-link/c1/…/connect"),
        ("GET /live/abc 200", "GET /live/… 200"),
        ("GET /embed/{token}/start", "GET /embed/{token}/start"),
        ("/callback?state=abc&connectionId=n1", "/callback?state=…&connectionId=n1"),
        ("/x?a=1&access_token=abc", "/x?a=1&access_token=…"),
        ("postgresql://magiclink:hunter2@db/magiclink", "postgresql://magiclink:…@db/magiclink"),
        (f"page key {RANDOM}.", "page key …."),
    ],
)
def test_secrets_are_removed(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "connection 11111111-1111-4111-8111-111111111111 of ses_0123456789abcdef recorded",
        "https://app.example.com/utilities/done?tab=1",
        "service.provider.handoffs: a_rather_long_name_of_a_function_in_a_traceback",
        "connection.needs_attention for user-42 at 2026-01-06T10:00:00.250+00:00",
    ],
)
def test_what_helps_is_kept(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_token_is_removed_from_any_text(before: str, after: str) -> None:
    assert TOKEN[-20:] not in redact(f"{before} {TOKEN} {after}")


def test_every_logger_writes_to_the_stream_and_chatty_ones_are_quiet() -> None:
    uvicorn = logging.getLogger("uvicorn.access")
    uvicorn.addHandler(logging.NullHandler())
    stream = io.StringIO()
    configure(stream, JsonLines(["a-secret-of-the-settings"]))
    logging.getLogger("service.web").info("a-secret-of-the-settings is in")
    logging.getLogger("service.web").debug("not said")
    logging.getLogger("httpx").info("GET https://api.example.com/?state=x")
    assert [json.loads(text)["message"] for text in stream.getvalue().splitlines()] == ["… is in"]
    assert (len(logging.getLogger().handlers), uvicorn.handlers) == (1, [])


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        json.dumps,
        quote,
        lambda secret: quote(secret, safe=""),
        lambda secret: quote(secret, safe="").lower(),
        lambda secret: repr([repr(secret)]),
        lambda secret: repr(secret.encode()),
        lambda secret: json.dumps(json.dumps([secret])),
    ],
)
def test_a_known_secret_is_removed_in_every_form_that_a_library_gives_it(show: Callable[[str], str]) -> None:
    secret = "se'cr\"et\\&/+% ä"
    shown = line(record("%s", f"<{show(secret)}>"), secret)["message"]
    assert not [part for part in ("se", "cr", "et") if part in shown]


def test_a_short_secret_is_removed_where_it_is_no_part_of_a_word() -> None:
    assert line(record("dev-key='dev' devices dev"), "dev")["message"] == "dev-key='…' devices …"


def test_a_line_whose_arguments_cannot_be_shown_is_written_without_them() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("a secret")

    found = line(record("%d", "a secret", odd=Odd()))
    assert (found["message"], found["odd"]) == ("%d (its arguments cannot be formatted)", "(Odd that cannot be shown)")


def test_a_stream_that_takes_no_line_is_no_reason_to_print_the_line_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = io.StringIO()
    configure(stream, JsonLines())
    stream.close()
    logging.getLogger("service").error("lost")
    assert capsys.readouterr() == ("", "")


def test_what_python_would_print_is_logged() -> None:
    stream = io.StringIO()
    configure(stream, JsonLines(["a-secret-of-the-settings"]))

    def fail() -> None:
        raise ValueError("a-secret-of-the-settings")

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    sys.unraisablehook(SimpleNamespace(err_msg=None, exc_value=ValueError("odd"), object=RANDOM))
    lines = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert [one["message"] for one in lines] == [
        "the thread worker ended with an error",
        "an error could not be raised",
    ]
    assert lines[0]["error"].endswith("ValueError: …")
    assert RANDOM not in stream.getvalue()


def test_a_line_for_a_person_keeps_no_secret_either() -> None:
    made = record("failed for %s", "abcdefgh")
    made.exc_info = (ValueError, ValueError(RANDOM), None)
    assert PlainLines(["abcdefgh"]).format(made) == "Info: failed for …\nValueError: …"
    assert PlainLines().format(record("\x1b[2J\r\u202e")) == "Info: ?[2J??"


async def test_access_lines_are_written_together_soon_and_before_any_other_line() -> None:
    stream = io.StringIO()
    configure(stream, JsonLines())
    for number in range(3):
        log_request(Answered("GET", "/healthz", 200, 0.1, "198.51.100.9", f"req_{number}"))
    assert stream.getvalue() == ""
    logging.getLogger("service.web").warning("something else")
    names = [json.loads(each).get("requestId") for each in stream.getvalue().splitlines()]
    assert names == ["req_0", "req_1", "req_2", None]
    log_request(Answered("GET", "/healthz", 200, 0.1, "198.51.100.9", "req_3"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "req_3" not in stream.getvalue():  # noqa: ASYNC110 - a timer of the handler changes it
            await asyncio.sleep(0)


async def test_many_access_lines_do_not_wait_for_each_other() -> None:
    stream = io.StringIO()
    configure(stream, JsonLines())
    for _ in range(1000):
        log_request(Answered("GET", "/healthz", 200, 0.1, "198.51.100.9", "req_1"))
    assert len(stream.getvalue().splitlines()) == 1000


def test_an_access_line_that_no_event_loop_will_write_is_written_at_once() -> None:
    stream = io.StringIO()
    configure(stream, JsonLines())
    log_request(Answered("GET", "/healthz", 200, 0.1, "198.51.100.9", "req_1"))
    assert len(stream.getvalue().splitlines()) == 1


async def test_lines_that_wait_are_written_when_the_process_ends() -> None:
    stream = io.StringIO()
    configure(stream, JsonLines())
    log_request(Answered("GET", "/healthz", 200, 0.1, "198.51.100.9", "req_1"))
    logging.getLogger().handlers[0].flush()  # as logging.shutdown does
    assert len(stream.getvalue().splitlines()) == 1
