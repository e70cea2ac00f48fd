"""How an audience's app finds the route of a request, and how it answers errors."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from service.errors import NotFound
from service.telemetry.load import RequestLoad
from service.web.api.problems import HANDLERS
from service.web.audience import AudienceApp
from service.web.headers import headers_of_every_answer
from service.web.middleware import GuardedApp

URL = "https://link.example.com"


async def named(request: Request) -> Response:
    return PlainTextResponse(f"{request.url.path} {request.path_params}")


async def fails(_request: Request) -> Response:
    raise RuntimeError("a secret")


async def refuses(_request: Request) -> Response:
    raise NotFound("This is not here")


class BreaksOff(Response):
    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise NotFound


async def breaks_off(_request: Request) -> Response:
    return BreaksOff()


async def other(_request: Request) -> Response:
    return PlainTextResponse("other")


INNER = AudienceApp([Route("/{id}", named), Route("/{id}/more", named)], HANDLERS)
ROUTES: Sequence[Route | Mount] = [
    Mount("/v1/users", INNER),
    Mount("/v1", AudienceApp([Route("/users", other), Route("/things", named, methods=["POST"])], HANDLERS)),
    Route("/", other),
    Route("/fails", fails),
    Route("/refuses", refuses),
    Route("/breaks", breaks_off),
    Route("/embed-{digest}.js", named),
    Route("/embed-x.js", other),
]


def browser(app: AudienceApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=URL)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "other"),
        ("/v1/users/ada", "/v1/users/ada {'id': 'ada'}"),
        ("/v1/users/ada/more", "/v1/users/ada/more {'id': 'ada'}"),
        ("/v1/users", "other"),
        ("/embed-x.js", "/embed-x.js {'digest': 'x'}"),  # the first route that matches, though another is more exact
    ],
)
async def test_the_first_route_that_matches_answers(path: str, text: str) -> None:
    async with browser(AudienceApp(ROUTES, HANDLERS)) as client:
        assert (await client.get(path)).text == text


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/users/", "/v1/users/ada/less", "/fails/more", "/x/"])
async def test_any_other_path_is_unknown_and_redirected_nowhere(path: str) -> None:
    async with browser(AudienceApp(ROUTES, HANDLERS)) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_wrong_method_is_refused_with_the_right_ones() -> None:
    async with browser(AudienceApp(ROUTES, HANDLERS)) as client:
        answer = await client.get("/v1/things")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_an_error_gets_the_answer_of_its_own_class() -> None:
    async with browser(AudienceApp(ROUTES, HANDLERS)) as client:
        answer = await client.get("/refuses")
    assert (answer.status_code, answer.json()["detail"]) == (404, "This is not here")


async def test_an_error_that_nothing_expected_is_answered_without_its_message_and_raised_for_the_log() -> None:
    app = AudienceApp(ROUTES, HANDLERS)
    async with browser(app) as client:
        answer = await client.get("/fails")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as client:
        with pytest.raises(RuntimeError):
            await client.get("/fails")


async def test_an_answer_that_has_begun_does_not_become_another_one() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/breaks", "headers": [], "query_string": b""}
    with pytest.raises(NotFound):
        await AudienceApp(ROUTES, HANDLERS)(scope, receive, send)
    assert [message["status"] for message in sent] == [200]


async def test_more_requests_than_it_may_have_in_progress_are_refused_until_one_has_ended() -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def waits(_request: Request) -> Response:
        begun.set()
        await end.wait()
        return PlainTextResponse("waited")

    app = AudienceApp([Route("/waits", waits), Route("/", other)], HANDLERS, load=RequestLoad(lambda: 1.0, most=1))
    async with browser(app) as client, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(client.get("/waits"))
        await begun.wait()
        refused = await client.get("/")
        end.set()
        assert (await first).text == "waited"
        assert (await client.get("/")).text == "other"
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "unavailable", "2")


async def test_a_request_that_only_waits_is_not_in_progress_until_it_goes_on() -> None:
    begun, end, load = asyncio.Event(), asyncio.Event(), RequestLoad(lambda: 1.0, most=1)

    async def waits(_request: Request) -> Response:
        with load.uncounted():
            begun.set()
            await end.wait()
        return PlainTextResponse("waited")

    routes = [Route("/waits", waits), Route("/", other)]
    app = AudienceApp(routes, HANDLERS, load=load)
    async with browser(app) as client, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(client.get("/waits"))
        await begun.wait()
        assert (await client.get("/")).text == "other"
        end.set()
        assert (await first).text == "waited"
        assert (await client.get("/")).text == "other"


async def test_an_error_in_the_middleware_is_answered_with_every_header() -> None:
    class Broken:
        def __init__(self, _app: object) -> None:
            """It calls no app."""

        async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
            raise RuntimeError

    app = GuardedApp(headers_of_every_answer(URL), ROUTES, HANDLERS)
    app.add_middleware(Broken)
    async with browser(app) as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert headers_of_every_answer(URL).items() <= {name.title(): text for name, text in answer.headers.items()}.items()
