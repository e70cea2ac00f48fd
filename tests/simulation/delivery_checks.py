"""What the host's receivers got: every event that they want, with its one id, and the order of each session."""

import json
from collections import defaultdict

from tests.simulation.checks import Row, StoredRows
from tests.simulation.receivers import Outcome, Post, Receiver
from tests.simulation.simulation import Simulation

_LET_PASS = (Outcome.TAKEN, Outcome.PASSES, Outcome.GONE)


def check_deliveries(simulation: Simulation, stored: StoredRows) -> None:
    """Read what each receiver got, in the order in which it came."""
    made = [receiver.id for receiver in simulation.receivers.at.values()]
    if sorted(made) != sorted(row["id"] for row in stored.tables["endpoints"]):
        simulation.fault(f"there are other endpoints than {made}: {stored.tables['endpoints']}")
    log = {row["id"]: row for row in stored.events}
    for receiver in simulation.receivers.at.values():
        _check_posts(simulation, receiver, log)
        _check_all_came(simulation, receiver, stored)
        if not receiver.is_replayed:
            _check_order(simulation, receiver, log)
    for row in stored.tables["deliveries"]:
        if row["status"] == "pending":
            simulation.fault(f"{row['id']} of {row['event_id']} is pending when all is over: {row['attempts']}")


def _check_posts(simulation: Simulation, receiver: Receiver, log: dict[str, Row]) -> None:
    """Each is an event of the log that the endpoint wants, under its own id, signed."""
    for post in receiver.posts:
        event, row = post.event, log.get(post.id)
        if row is None or not _wants(receiver, row):
            simulation.fault(f"{receiver.url} was sent what it does not want: {post.id}")
        elif (event["id"], event["seq"], event["type"]) != (row["id"], row["seq"], row["type"]):
            simulation.fault(f"{receiver.url} was sent {event} for {post.id}, and the log says {dict(row)}")
        if not post.is_signed_with(receiver.secret):
            simulation.fault(f"{receiver.url} was sent {post.id} without a signature of its secret")


def _wants(receiver: Receiver, row: Row) -> bool:
    return (not receiver.types or row["type"] in receiver.types) and _about(row) != receiver.id


def _about(row: Row) -> str:
    """The endpoint that an event is about: it is not told of itself."""
    return str(json.loads(row["data"]).get("endpointId", "")) if row["type"].startswith("endpoint.") else ""


def _check_all_came(simulation: Simulation, receiver: Receiver, stored: StoredRows) -> None:
    """All that were written while the endpoint was enabled; whoever answers 410 has refused that one for good."""
    off = _disabled(receiver, stored)
    own = {row["id"]: row["webhook_url"] for row in stored.sessions.values() if row["webhook_url"]}
    settled = {(post.path, post.id) for post in receiver.posts if post.outcome in {Outcome.TAKEN, Outcome.GONE}}
    for row in stored.events:
        if not _wants(receiver, row) or any(first <= row["seq"] <= last for first, last in off):
            continue
        paths = ["/in"]
        if own.get(row["session_id"], "").startswith(receiver.url):
            paths.append("/in/own")
        for path in paths:
            if (path, row["id"]) not in settled:
                simulation.fault(f"{receiver.url}: {row['id']} ({row['type']}) never came at {path}")


def _disabled(receiver: Receiver, stored: StoredRows) -> list[tuple[int, int]]:
    """Positions of the log for which it was disabled, or may have been."""
    ends = [row["seq"] for row in stored.events if row["type"] == "endpoint.disabled" and _about(row) == receiver.id]
    return [(end, min((at for at in receiver.enabled_from if at >= end), default=len(stored.events))) for end in ends]


def _check_order(simulation: Simulation, receiver: Receiver, log: dict[str, Row]) -> None:
    """Nothing passes an earlier event of its session whose last attempt failed, or that was not attempted yet."""
    lanes: dict[tuple[str, str], list[Post]] = defaultdict(list)
    for post in receiver.posts:
        if (row := log.get(post.id)) is not None:
            lanes[post.path, row["session_id"] or row["connection_id"] or post.id].append(post)
    for (path, lane), posts in lanes.items():
        _check_lane(
            simulation, f"{receiver.url} {path} {lane}", posts, {post.id: log[post.id]["seq"] for post in posts}
        )


def _check_lane(simulation: Simulation, name: str, posts: list[Post], seqs: dict[str, int]) -> None:
    # Whatever never came at all is told by another check: here are only those that came at any time.
    last: dict[str, Post] = {}
    for post in posts:
        for earlier, seq in seqs.items():
            before = last.get(earlier)
            passed = before is not None and before.is_answered and before.outcome in _LET_PASS
            if seq < seqs[post.id] and not passed:
                told = f"{before.outcome.value}, answered: {before.is_answered}" if before else "not attempted"
                simulation.fault(f"{name}: {post.id} passed {earlier}, {told}")
        last[post.id] = post
