from functools import partial

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.commands import api_client
from service.commands.api_client import ApiClient, CommandError, Patience, ServiceUnreachable

URL = "http://localhost:8000"


class Answers:
    """Answers in turn, and keeps what it was asked; the last answer stays."""

    def __init__(self, *answers: httpx.Response | Exception | dict[str, object]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, json=answer) if isinstance(answer, dict) else answer


def service(answers: Answers, url: str = URL, key: str | None = None) -> ApiClient:
    return ApiClient(url, key, httpx.MockTransport(answers))


def session(status: str = "created", link: str = "pending", *connections: tuple[str, str]) -> dict[str, object]:
    return {
        "id": "ses_1",
        "status": status,
        "link": {"kind": "invitation", "status": link},
        "connections": [{"id": each, "status": state} for each, state in connections],
    }


class Waiting:
    """Time that passes by pauses, of a second each, and by calls; and what was said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.patience = Patience(partial(self.wait, 1), lambda: self.now, self.said.append)

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://localhost", "http://", "http://[a", "http://a:b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CommandError, match="--url"):
        ApiClient(url, "key")


def test_a_service_elsewhere_needs_a_key() -> None:
    with pytest.raises(CommandError, match="--key"):
        ApiClient("https://link.example.com", None)


def test_a_key_that_cannot_travel_is_refused() -> None:
    with pytest.raises(CommandError, match="copy it again"):
        ApiClient(URL, "clé")


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.1:1", "http://[::1]:1/"])
def test_a_local_service_is_asked_with_the_key_of_development(url: str) -> None:
    answers = Answers({"id": "x"})
    with service(answers, url) as local:
        local.get("/v1/sessions/x")
    assert answers.requests[0].headers["authorization"] == "Bearer dev-key"


def test_a_key_that_was_given_is_used_locally_too() -> None:
    answers = Answers({})
    service(answers, key="mine").get("/v1/sessions")
    assert answers.requests[0].headers["authorization"] == "Bearer mine"


def test_nobody_there_is_said_in_one_line() -> None:
    with pytest.raises(ServiceUnreachable, match="does not answer"):
        service(Answers(httpx.ConnectError("no"))).get("/v1/sessions")


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(502, json=[])])
def test_another_program_at_that_address_is_recognised(answer: httpx.Response) -> None:
    with pytest.raises(CommandError, match="not as magiclink does"):
        service(Answers(answer)).get("/v1/sessions")


def test_an_answer_that_is_no_list_is_said_in_one_line() -> None:
    with pytest.raises(CommandError, match="not as magiclink does"):
        service(Answers({"data": None})).rows("/v1/sessions", {}, 1)


@pytest.mark.parametrize(
    ("status", "problem", "said"),
    [
        (401, {"code": "unauthorized", "detail": "x"}, "does not know this API key"),
        (404, {"code": "not_found", "detail": "Nothing here"}, r"Refused \(not_found\): Nothing here"),
        (422, {"code": "invalid_request", "errors": [{"pointer": "/sites", "detail": "is empty"}]}, "/sites: is empty"),
        (409, {}, "status 409"),
    ],
)
def test_a_refusal_is_passed_on_in_one_line(status: int, problem: dict[str, object], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        service(Answers(httpx.Response(status, json=problem))).post("/v1/sessions", {})


def test_lists_are_read_over_as_many_pages_as_are_wanted() -> None:
    answers = Answers({"data": [{"id": n} for n in range(100)], "next": "c1"}, {"data": [{"id": 100}], "next": "c2"})
    rows = service(answers).rows("/v1/sessions", {"userId": "ada", "status": None}, 101)
    assert len(rows) == 101
    assert [dict(request.url.params) for request in answers.requests] == [
        {"userId": "ada", "limit": "100"},
        {"userId": "ada", "limit": "1", "after": "c1"},
    ]


def test_a_list_that_ends_early_is_not_asked_for_more() -> None:
    answers = Answers({"data": [], "next": None})
    assert service(answers).rows("/v1/sessions", {}, 500) == []
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("acme", {"externalId": "acme", "name": "acme"}),
        ("acme=Acme Ltd", {"externalId": "acme", "name": "Acme Ltd"}),
        ("hq=HQ@1 Main St, A=B", {"externalId": "hq", "name": "HQ", "address": "1 Main St, A=B"}),
        ("hq=@1 Main St", {"externalId": "hq", "name": "hq", "address": "1 Main St"}),
        ("6F6C3C1E-8a0b-4d3f-9c55-0f9f4a5f3f10", {"id": "6f6c3c1e-8a0b-4d3f-9c55-0f9f4a5f3f10"}),
    ],
)
def test_companies_and_sites_are_named_in_one_word(text: str, body: dict[str, str]) -> None:
    assert api_client.named(text) == body


def test_only_what_was_said_goes_into_the_session() -> None:
    plain = api_client.session_body(user="u", company="c", sites=("s",), link=None, email=None, expires_in=None)
    assert plain == {
        "userId": "u",
        "company": {"externalId": "c", "name": "c"},
        "sites": [{"externalId": "s", "name": "s"}],
    }
    said = api_client.session_body(user="u", company="c", sites=("s",), link="auto", email="a@b.c", expires_in=60)
    assert (said["userEmail"], said["expiresIn"]) == ("a@b.c", 60)
    assert said["link"] == "auto"


def test_a_session_is_followed_through_its_changes_to_its_end() -> None:
    answers = Answers(
        session(), session("opened", "ready"), session("opened", "ready"), session("connected", "ready", ("c", "OK"))
    )
    seen = list(api_client.watch(service(answers), session(), Waiting().patience))
    assert [each["status"] for each in seen] == ["opened", "connected"]
    assert len(answers.requests) == 4


def test_a_session_that_has_ended_is_not_asked_about() -> None:
    answers = Answers({})
    assert list(api_client.watch(service(answers), session("revoked"), Waiting().patience)) == []
    assert answers.requests == []


def test_a_service_that_restarts_is_waited_for() -> None:
    answers = Answers(httpx.ConnectError("down"), httpx.Response(503, json={"code": "unavailable"}), session("expired"))
    assert [each["status"] for each in api_client.watch(service(answers), session(), Waiting().patience)] == ["expired"]


@pytest.mark.parametrize("seconds", [0, 5, 40])
def test_a_service_that_stays_away_is_given_up_on_after_a_minute(seconds: float) -> None:
    waiting = Waiting()

    def unanswered(_request: httpx.Request) -> httpx.Response:
        waiting.wait(seconds)
        raise httpx.ConnectTimeout("dropped")

    silent = ApiClient(URL, None, httpx.MockTransport(unanswered))
    with pytest.raises(ServiceUnreachable):
        list(api_client.events(silent, None, waiting.patience))
    assert 60 <= waiting.now < 60 + 1 + seconds
    assert [line.endswith("Trying again for 60 seconds.") for line in waiting.said] == [True]


def test_each_restart_of_a_service_has_its_own_minute() -> None:
    waiting = Waiting()
    down: list[httpx.Response | Exception | dict[str, object]] = [httpx.ConnectError("down")] * 40
    answers = Answers(*down, {"data": [event(1)]}, *down, {"data": [event(2)]})
    following = api_client.events(service(answers), None, waiting.patience)
    assert [next(following)["id"], next(following)["id"]] == ["evt_1", "evt_2"]
    assert len(waiting.said) == 2


def test_a_session_that_is_refused_is_not_waited_for() -> None:
    answers = Answers(httpx.Response(404, json={"code": "not_found"}))
    with pytest.raises(CommandError, match="not_found"):
        list(api_client.watch(service(answers), session(), Waiting().patience))
    assert len(answers.requests) == 1


def test_changes_are_printed_in_words_once() -> None:
    now = session("connected", "ready", ("c1", "CONNECTED"), ("c2", "PASSWORD_INCORRECT"))
    before = session("opened", "pending", ("c2", "PASSWORD_INCORRECT"))
    assert api_client.changes_between(before, now) == [
        "link invitation ready",
        "connection c1 CONNECTED",
        "session connected",
    ]
    assert api_client.changes_between(now, now) == []


def event(number: int) -> dict[str, object]:
    return {
        "id": f"evt_{number}",
        "seq": number,
        "type": "session.created",
        "at": "2026-01-01T00:00:00Z",
        "sessionId": "ses_1",
    }


def test_events_are_read_to_the_end_of_the_log() -> None:
    full: dict[str, object] = {"data": [event(n) for n in range(100)], "next": "c1"}
    answers = Answers(full, {"data": [event(100)], "next": "c2"})
    assert len(list(api_client.events(service(answers), "c0"))) == 101
    assert [request.url.params["after"] for request in answers.requests] == ["c0", "c1"]


def test_following_events_waits_at_the_service_and_keeps_its_place() -> None:
    answers = Answers(
        {"data": [event(1)], "next": None}, {"data": [], "next": None}, httpx.ReadTimeout("slow"), {"data": [event(2)]}
    )
    following = api_client.events(service(answers), None, Waiting().patience)
    assert [next(following)["id"], next(following)["id"]] == ["evt_1", "evt_2"]
    assert [request.url.params.get("after") for request in answers.requests] == [None, "1", "1", "1"]
    assert answers.requests[0].url.params["wait"] == "25"


def test_a_table_has_columns_in_line() -> None:
    rows: list[api_client.Json] = [
        {
            "id": "ses_1",
            "userId": "ada",
            "status": "opened",
            "link": {"kind": "invitation", "status": "ready"},
            "company": {"id": "1", "externalId": "acme"},
            "createdAt": "2026-01-01T00:00:00Z",
            "expiresAt": None,
        },
        {"id": "ses_22", "company": {"id": "a-uuid"}},
    ]
    assert api_client.table(api_client.SESSIONS, rows).splitlines() == [
        "SESSION  USER  STATUS  LINK              COMPANY  CREATED               EXPIRES",
        "ses_1    ada   opened  invitation ready  acme     2026-01-01T00:00:00Z  -",
        "ses_22   -     -       -                 a-uuid   -                     -",
    ]


def test_connections_and_events_have_tables_of_their_own() -> None:
    connection: api_client.Json = {
        "id": "c",
        "userId": "ada",
        "status": "CONNECTED",
        "provider": {"name": None, "url": "https://nectarclimate.com"},
        "evidence": {"kind": "invitation"},
        "recordedAt": "2026-01-01T00:00:00Z",
    }
    assert api_client.table(api_client.CONNECTIONS, [connection], heading=False) == (
        "c  ada  CONNECTED  -  https://nectarclimate.com  invitation  2026-01-01T00:00:00Z"
    )
    assert api_client.table(api_client.EVENTS, [event(1)], heading=False) == (
        "2026-01-01T00:00:00Z  session.created             ses_1  -  -  -"
    )


def test_a_candidate_whose_user_was_erased_is_named_so() -> None:
    connection = {"id": "con_1", "candidates": [{"userId": None, "sessionId": "ses_1"}]}
    assert api_client.table(api_client.UNATTRIBUTED, [connection], heading=False).endswith("erased user (ses_1)")


@given(st.text())
def test_what_strangers_named_cannot_steer_the_terminal(name: str) -> None:
    text = api_client.table(api_client.SESSIONS, [{"id": name}], heading=False)
    assert text.isprintable()
