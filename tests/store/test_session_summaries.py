"""What the API shows of a session is read without the rest of it, and is the same."""

from typing import Any

import pytest

from service.domain.model import ConnectionId, LinkKind, LinkStatus, Mode, Tenant
from service.domain.session_status import Progress
from service.errors import NotFound
from service.store import Store
from service.web.api.json import session_json
from tests.support.domain_values import NOW, TENANT
from tests.support.store_cases import create, fresh


async def test_a_session_is_shown_with_its_connections_to_its_own_tenant_only(store: Store) -> None:
    made = await create(store, fresh())
    shown, connections = await store.sessions.summary(made.id, TENANT)
    assert (shown.id, connections) == (made.id, [])
    with pytest.raises(NotFound):
        await store.sessions.summary(made.id, Tenant("elsewhere"))


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"revoked_at": NOW, "failure": "provider_error", "link_kind": LinkKind.INVITATION},
        {"over_at": NOW, "progress": Progress.ATTACHED, "metadata": {"plan": "pro"}, "mode": Mode.RECONNECT},
        {"left_at": NOW, "opened_at": NOW, "max_connections": 4, "return_url": "https://app.example.com/done"},
        {"opened_at": NOW, "link_status": LinkStatus.READY, "webhook_url": "https://app.example.com/hook"},
        {"progress": Progress.CONNECTED, "connection_id": ConnectionId("c"), "origin": "https://app.example.com"},
    ],
)
async def test_what_is_shown_of_a_session_is_what_the_session_has(store: Store, facts: dict[str, Any]) -> None:
    made = await create(store, fresh(**facts))
    (listed,) = [one for one, _ in await store.sessions.list_page(TENANT, {}, None, 5)]
    assert (await store.sessions.summary(made.id, TENANT))[0] == listed
    assert session_json(listed) == session_json(made)
