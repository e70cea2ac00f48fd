"""GET /readyz needs no key, so it may not cost a write for each request."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response

from service.errors import Unavailable
from service.telemetry.metrics import Metrics
from service.web.health import HealthRoutes


class Checks:
    """The checks of a database: each waits for `go_on`, and raises `error` if there is one."""

    def __init__(self) -> None:
        self.count = 0
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None
        self.routes = HealthRoutes(self._check, lambda: 0, Metrics(), None)

    async def _check(self) -> None:
        self.count += 1
        self.begun.set()
        await self.go_on.wait()
        if self.error is not None:
            raise self.error

    def ask(self, times: int) -> "list[asyncio.Task[Response]]":
        request = Request({"type": "http", "headers": []})
        return [asyncio.create_task(self.routes.readyz(request)) for _ in range(times)]


@pytest.fixture
def checks() -> Checks:
    return Checks()


@pytest.mark.parametrize(("error", "status"), [(None, 200), (Unavailable(), 503)])
async def test_all_that_ask_at_the_same_time_get_the_result_of_one_check(
    checks: Checks, error: Exception | None, status: int
) -> None:
    checks.error = error
    asked = checks.ask(50)
    await checks.begun.wait()
    checks.go_on.set()
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {status}
    assert checks.count == 1


async def test_the_next_request_is_a_check_of_its_own(checks: Checks) -> None:
    checks.go_on.set()
    checks.error = Unavailable()
    (first,) = checks.ask(1)
    assert (await first).status_code == 503
    checks.error = None
    (second,) = checks.ask(1)
    assert (await second).status_code == 200
    assert checks.count == 2


async def test_a_client_that_goes_away_ends_the_check_for_no_other(checks: Checks) -> None:
    gone, stays = checks.ask(2)
    await checks.begun.wait()
    gone.cancel()
    checks.go_on.set()
    assert (await stays).status_code == 200
