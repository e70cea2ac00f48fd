"""The audit of what a receiver got finds what is missing, early or unknown, and nothing else."""

import pytest

from tests.load.delivery_audit import delivery_faults
from tests.load.local_receiver import LocalPost
from tests.simulation.checks import Row, StoredRows

LOG = [
    {"id": f"evt_{seq}", "seq": seq, "type": "session.created", "session_id": session, "connection_id": None}
    for seq, session in enumerate(("ada", "bob", "ada"), 1)
]


def rows(*deliveries: Row) -> StoredRows:
    empty: dict[str, list[Row]] = {name: [] for name in ("users", "connections", "sessions", "session_connections")}
    return StoredRows({**empty, "events": LOG, "deliveries": list(deliveries)})


def posts(*said: tuple[int, int | None]) -> list[LocalPost]:
    return [
        LocalPost(f"evt_{seq}", {"id": f"evt_{seq}", "seq": seq, "type": "session.created"}, status)
        for seq, status in said
    ]


@pytest.mark.parametrize(
    "said",
    [
        [(1, 204), (2, 204), (3, 204)],
        [(2, 204), (1, 204), (3, 204)],  # of another session
        [(1, 204), (1, 204), (3, 204), (2, 204)],  # again, with the same id
        [(1, 503), (1, None), (1, 204), (3, 204), (2, 204)],
        [(1, 400), (3, 204), (1, 204), (2, 204)],  # refused for good or for now: later ones pass
    ],
)
def test_what_hosts_are_promised_is_no_fault(said: list[tuple[int, int | None]]) -> None:
    assert delivery_faults(posts(*said), rows(), LOG) == []


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ([(1, 204), (3, 204)], "UNDELIVERED: evt_2"),
        ([(1, 204), (2, 503), (3, 204)], "UNDELIVERED: evt_2"),
        ([(3, 204), (2, 204), (1, 204)], "PASSED: evt_3 came before evt_1"),
        ([(1, 503), (3, 204), (2, 204), (1, 204)], "PASSED: evt_3 came before evt_1"),
        ([(1, 204), (2, 204), (3, 204), (9, 204)], "DELIVERED what the log has not"),
    ],
)
def test_what_breaks_a_promise_is_told(said: list[tuple[int, int | None]], fault: str) -> None:
    (found,) = delivery_faults(posts(*said), rows(), LOG)
    assert found.startswith(fault)


def test_what_was_written_and_delivered_while_the_audit_read_is_no_fault() -> None:
    later = [*LOG, LOG[0] | {"id": "evt_4", "seq": 4}]
    assert delivery_faults(posts((1, 204), (2, 204), (3, 204), (4, 204)), rows(), later) == []


def test_what_is_still_pending_is_told() -> None:
    (found,) = delivery_faults(posts((1, 204), (2, 204), (3, 204)), rows({"status": "pending"}), LOG)
    assert found == "1 deliveries are pending"
