"""POST routes whose fields are all optional take an empty body as `{}`, whatever type the client gives it."""

import pytest

from tests.support.services import RunningServices, refused
from tests.support.users import User

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("call", ["renew", "revoke"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", None])
async def test_an_empty_body_is_an_empty_object(
    services: RunningServices, ada: User, call: str, kind: str | None
) -> None:
    session = await ada.session()
    headers = {"Content-Type": kind} if kind else {}
    answer = await services.host.post(f"/v1/sessions/{session['id']}/{call}", content=b"", headers=headers)
    assert answer.status_code == 200


async def test_a_reconnect_needs_no_fields(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    answer = await services.host.post(f"/v1/connections/{connection['id']}/reconnect", content=b"", headers=JSON)
    assert answer.status_code == 201


@pytest.mark.parametrize("content", [b" ", b"null", b"[]"])
async def test_what_is_not_empty_must_be_an_object(services: RunningServices, ada: User, content: bytes) -> None:
    session = await ada.session()
    answer = await services.host.post(f"/v1/sessions/{session['id']}/renew", content=content, headers=JSON)
    assert answer.status_code in {400, 422}


async def test_a_route_with_required_fields_refuses_an_empty_body(services: RunningServices) -> None:
    refused(await services.host.post("/v1/sessions", content=b"", headers=JSON), 400, "invalid_json")
