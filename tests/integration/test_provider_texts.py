"""Texts of the provider are data: as long as a page shows, never markup, and unable to reorder what is around them."""

import logging
from html import escape
from typing import Any

import httpx
import pytest

from tests.support.services import RunningServices
from tests.support.users import User

HOSTILE = "<script>alert(1)</script>\u202e\r\n\x1b[2J{{ 7 * 7 }}" + "x" * 100_000


def _hostile(value: Any, name: str = "") -> Any:
    """The provider's answer with every text changed that is no id, time, address or name of ours."""
    if isinstance(value, dict):
        return {key: _hostile(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_hostile(one, name) for one in value]
    return HOSTILE if name in {"name", "detail", "address", "notes", "title"} and isinstance(value, str) else value


async def test_a_name_of_the_provider_is_shown_short_and_as_text(services: RunningServices, ada: User) -> None:
    services.outgoing.reshape = lambda _request, body: _hostile(body)
    page = await ada.browser(returnUrl=None)
    await page.connect()
    answer = await page.finish()
    shown = "<script>alert(1)</script>\ufffd\ufffd\ufffd\ufffd[2J{{ 7 * 7 }}"
    assert answer.status_code == 200
    assert escape(shown) in answer.text
    assert "x" * 300 not in answer.text
    view = await page.view()
    (connection,) = view["connections"]
    assert connection["provider"].startswith(shown)
    assert len(connection["provider"]) == 300


async def test_a_refusal_of_the_provider_is_logged_and_told_short_and_on_one_line(
    services: RunningServices, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response | None:
        return (
            httpx.Response(400, json={HOSTILE: [HOSTILE] * 100, "detail": HOSTILE})
            if request.method == "POST"
            else None
        )

    services.outgoing.instead = refuse
    with caplog.at_level(logging.INFO):
        await ada.session(company={"externalId": "new", "name": "New"})
        refused = await services.host.post("/v1/sessions", json=ada.wants(prepare="now"))
        await services.drain()
    assert len(refused.text) < 2000
    assert "\u202e" not in refused.json()["detail"]
    assert [record for record in caplog.records if len(record.getMessage()) > 1000] == []
    assert [record for record in caplog.records if not record.getMessage().isprintable()] == []
