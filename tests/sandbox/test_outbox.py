"""The webhooks that wait to be sent: what is due, and what each answer of the API looks through."""

from collections.abc import Callable

import pytest

from service.sandbox.settings import SandboxSettings
from service.sandbox.world.clock import SandboxClock, StoredNumber, StoredNumbers
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.ids import SandboxIds
from service.sandbox.world.outbox import SandboxMessage, SandboxOutbox
from service.sandbox.world.rows import SandboxDatabase, SandboxTable
from service.sandbox.world.troubles import SandboxTrouble, SandboxTroubles
from tests.support.clock import Clock

DUE, LATER = 1.0, 100.0


class CountingTable(SandboxTable[SandboxMessage]):
    """Counts how many messages are looked at."""

    looked_at = 0

    def get(self, record_id: str) -> SandboxMessage | None:
        self.looked_at += 1
        return super().get(record_id)


@pytest.fixture
def context(clock: Clock) -> SandboxContext:
    settings = SandboxSettings(webhook_url="http://receiver.test", webhook_secret="whsec_c2VjcmV0")
    database = SandboxDatabase()
    troubles = SandboxTroubles(SandboxTable(database, "Trouble", SandboxTrouble), clock.now)
    numbers = StoredNumbers(SandboxTable(database, "Gauge", StoredNumber))
    ids = SandboxIds(None, lambda: int(numbers.add("serial", 1)))
    return SandboxContext(settings, database, SandboxClock(clock.now, numbers, troubles), ids, troubles)


@pytest.fixture
def table(context: SandboxContext) -> CountingTable:
    return CountingTable(context.database, "Message", SandboxMessage)


@pytest.fixture
def outbox(context: SandboxContext, table: CountingTable) -> SandboxOutbox:
    return SandboxOutbox(context, table)


def message(name: str = "", due_at: float = DUE, *, document: str | None = None) -> SandboxMessage:
    return SandboxMessage(name, "an.event", "company", "connection", due_at, document_id=document)


def documents(outbox: SandboxOutbox, names: list[str], due_at: float = DUE) -> None:
    for name in names:
        outbox.queue(message(due_at=due_at, document=name))


def test_an_answer_looks_through_no_document(outbox: SandboxOutbox, table: CountingTable) -> None:
    documents(outbox, [f"document-{number}" for number in range(500)])
    outbox.queue(message())
    table.looked_at = 0
    assert outbox.first() == []
    assert len(outbox.due_events(DUE)) == 1
    assert table.looked_at == 2


def test_a_pass_looks_at_as_many_documents_as_it_sends(outbox: SandboxOutbox, table: CountingTable) -> None:
    documents(outbox, [f"document-{number}" for number in range(500)])
    outbox.due_documents(DUE, 10)
    table.looked_at = 0
    assert [one.document_id for one in outbox.due_documents(DUE, 10)] == [f"document-{number}" for number in range(10)]
    assert table.looked_at == 10


def test_documents_come_when_they_are_due(outbox: SandboxOutbox) -> None:
    documents(outbox, ["later"], LATER)
    documents(outbox, ["now"])
    assert [one.document_id for one in outbox.due_documents(DUE, 10)] == ["now"]
    assert [one.document_id for one in outbox.due_documents(LATER, 10)] == ["now", "later"]


def test_a_document_that_was_refused_comes_again_when_its_retry_is_due(outbox: SandboxOutbox) -> None:
    documents(outbox, ["refused", "accepted"])
    refused, accepted = outbox.due_documents(DUE, 10)
    retry = message(refused.id, LATER, document="refused")
    outbox.settle_all([(refused, retry), (accepted, None)])
    assert outbox.due_documents(DUE, 10) == []
    assert outbox.due_documents(LATER, 10) == [retry]
    assert list(outbox) == [retry]


@pytest.mark.parametrize("remove", [lambda table: table.remove("msg"), lambda table: table.forget()])
def test_what_was_removed_from_the_table_is_sent_no_more(
    context: SandboxContext, table: CountingTable, remove: Callable[[CountingTable], None]
) -> None:
    table.put(message("msg", document="gone"))
    outbox = SandboxOutbox(context, table)
    assert len(outbox.due_documents(DUE, 10)) == 1
    remove(table)
    documents(outbox, ["kept"])
    assert [one.document_id for one in outbox.due_documents(DUE, 1)] == ["kept"]


def test_a_removed_event_is_sent_no_more(outbox: SandboxOutbox, table: CountingTable) -> None:
    outbox.queue(message())
    (event,) = outbox.due_events(DUE)
    table.remove(event.id)
    assert outbox.due_events(DUE) == []


def test_what_waited_at_the_end_of_a_process_is_due_in_the_next(context: SandboxContext, outbox: SandboxOutbox) -> None:
    documents(outbox, ["document"])
    outbox.queue(message())
    again = SandboxOutbox(context, SandboxTable(context.database, "Message", SandboxMessage))
    assert [one.document_id for one in again.due_documents(DUE, 10)] == ["document"]
    assert len(again.due_events(DUE)) == 1
