"""A session for one mailbox: where the provider refuses invitations, no link that anybody can use stands in."""

import httpx
import pytest

from tests.support.services import RunningServices
from tests.support.users import User


def refuse_invitations(request: httpx.Request) -> httpx.Response | None:
    if request.method == "POST" and "/invitation/" in request.url.path:
        return httpx.Response(403, json={"detail": "Invitations are not part of your plan."})
    return None


@pytest.mark.parametrize(
    ("email", "expected"), [(None, ("ready", "magic_link")), ("ada@example.com", ("pending", "invitation"))]
)
async def test_a_magic_link_stands_in_only_where_nobodys_mailbox_was_named(
    services: RunningServices, ada: User, email: str | None, expected: tuple[str, str]
) -> None:
    services.outgoing.instead = refuse_invitations
    session = await ada.session(**({"userEmail": email} if email else {}))
    await services.drain()
    link = (await services.get(f"/v1/sessions/{session['id']}"))["link"]
    assert (link["status"], link["kind"]) == expected
