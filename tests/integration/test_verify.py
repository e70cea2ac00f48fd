"""POST /v1/verify: the host need not trust its own query string."""

from typing import Any

import pytest

from tests.support.services import RunningServices, refused
from tests.support.users import User, asked_in


async def result_of(user: User) -> str:
    """What a browser brings back to the host after this person has connected an account."""
    page = await user.browser()
    await page.connect()
    return asked_in(await page.finish())["state"]


async def test_adas_result_is_refused_when_mallory_hands_it_in(services: RunningServices, ada: User) -> None:
    answer = await services.host.post("/v1/verify", json={"state": await result_of(ada), "userId": "mallory"})
    refused(answer, 422, "invalid_request", "/state")


async def test_another_tenant_cannot_confirm_it(services: RunningServices, ada: User) -> None:
    other = await services.stranger()
    answer = await other.post("/v1/verify", json={"state": await result_of(ada), "userId": "ada"})
    refused(answer, 422, "invalid_request", "/state")


async def test_every_single_changed_letter_is_refused(services: RunningServices, ada: User) -> None:
    state = await result_of(ada)
    for i, webhook in enumerate(state):
        mutated = state[:i] + ("A" if webhook != "A" else "B") + state[i + 1 :]
        answer = await services.host.post("/v1/verify", json={"state": mutated, "userId": "ada"})
        refused(answer, 422, "invalid_request", "/state")


@pytest.mark.parametrize(("seconds", "status"), [(600, 200), (601, 422), (86400, 422)])
async def test_it_holds_for_ten_minutes(services: RunningServices, ada: User, seconds: float, status: int) -> None:
    state = await result_of(ada)
    services.clock.advance(seconds)
    answer = await services.host.post("/v1/verify", json={"state": state, "userId": "ada"})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"userId": "ada"}, "/state"),
        ({"state": "x"}, "/userId"),
        ({"state": "", "userId": "ada"}, "/state"),
        ({"state": "x" * 2049, "userId": "ada"}, "/state"),
        ({"state": 7, "userId": "ada"}, "/state"),
        ({"state": "x", "userId": ""}, "/userId"),
        ({"state": "x", "userId": "ada", "sessionId": "ses_x"}, "/sessionId"),
    ],
)
async def test_a_wrong_body_is_refused_by_the_name_of_its_field(
    services: RunningServices, body: Any, pointer: str
) -> None:
    refused(await services.host.post("/v1/verify", json=body), 422, "invalid_request", pointer)


async def test_it_returns_what_was_signed_and_may_be_called_again(services: RunningServices, ada: User) -> None:
    state = await result_of(ada)
    connection = await ada.newest()
    for _ in range(2):
        assert await services.post("/v1/verify", {"state": state, "userId": "ada"}) == {
            "valid": True,
            "sessionId": connection["sessionId"],
            "userId": "ada",
            "status": "connected",
            "connectionId": connection["id"],
            "at": "2027-01-15T08:00:00.000Z",
        }


async def test_a_result_names_its_user_in_no_readable_way(ada: User) -> None:
    ada.user_id = "ada.lovelace@example.com"
    assert "lovelace" not in await result_of(ada)
