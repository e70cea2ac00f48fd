"""Documents that were named: each once for its connection, in one transaction with its event."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.domain import events
from service.domain.changes import Changes
from service.domain.events import NewEvent
from service.domain.model import ConnectionId
from service.store import Store
from tests.support.domain_values import COMPANY, connection
from tests.support.store_cases import UNNAMED, create, fresh, numbered

OURS = replace(connection(), company=UNNAMED.ref)
OTHER = replace(OURS, id=ConnectionId("connection-2"))
ACME = replace(COMPANY, ref=UNNAMED.ref)


def named(total: int, new: Sequence[str]) -> NewEvent:
    return events.document_available(OURS, total, new)


def uploaded(total: int, new: Sequence[str]) -> NewEvent:
    return events.upload_available(ACME, total, new)


@pytest.fixture
async def acme(store: Store) -> Store:
    await create(store, fresh())
    await store.connections.change(UNNAMED.ref, [], [], lambda _: Changes(connections=(OURS,)))
    return store


async def told(store: Store) -> list[tuple[int, list[str]]]:
    await numbered(store)
    found = await store.events.after(0, 100)
    return [(one.data["documents"], one.data["documentIds"]) for one in found if one.type == "document.available"]


async def test_a_document_is_named_once_however_often_it_is_listed(acme: Store) -> None:
    assert await acme.documents.name_new(OURS, ["d1", "d2"], named)
    assert not await acme.documents.name_new(OURS, ["d2", "d1"], named)
    assert await acme.documents.name_new(OURS, ["d3", "d2", "d3"], named)
    assert await told(acme) == [(2, ["d1", "d2"]), (3, ["d3"])]


async def test_of_ten_processes_that_read_the_same_list_one_names_it(acme: Store) -> None:
    each = await asyncio.gather(*(acme.documents.name_new(OURS, ["d1"], named) for _ in range(10)))
    assert sum(each) == 1
    assert await told(acme) == [(1, ["d1"])]


async def test_the_same_document_of_another_connection_is_named_for_that_too(acme: Store) -> None:
    assert await acme.documents.name_new(OURS, ["d1"], named)
    assert await acme.documents.name_new(OTHER, ["d1"], named)


async def test_an_upload_that_a_connection_lists_is_the_connections(acme: Store) -> None:
    await acme.documents.name_new(OURS, ["d1"], named)
    await acme.documents.name_uploaded(ACME, ["d1", "u1"], uploaded)
    await acme.documents.name_uploaded(ACME, ["u1", "d1"], uploaded)
    assert await told(acme) == [(1, ["d1"]), (1, ["u1"])]
