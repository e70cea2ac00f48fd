"""After the killing: the host's receiver got every event of the log, and the events of a session in their order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tests.load.local_receiver import LocalPost
from tests.simulation.checks import Row, StoredRows


def delivery_faults(posts: Sequence[LocalPost], rows: StoredRows, later: Iterable[Row]) -> list[str]:
    """What the receiver missed, got under another id, or got too early; empty where every promise was kept.

    Pages are found to have left while the audit reads. `rows` were read before the posts, so that each of their events
    must have come; `later`, the log's events, after them, so that each post must be of one of these.
    """
    log = {row["id"]: row for row in rows.events}
    written = {row["id"]: row for row in later}
    taken = {post.event_id for post in posts if post.is_taken}
    faults = [f"UNDELIVERED: {one} ({row['type']})" for one, row in log.items() if one not in taken]
    for post in posts:
        row = written.get(post.event_id, {})
        if [post.event[name] for name in ("id", "seq", "type")] != [row.get(name) for name in ("id", "seq", "type")]:
            faults.append(f"DELIVERED what the log has not: {post}")
    waiting = Counter(row["status"] for row in rows.tables["deliveries"])["pending"]
    return [*faults, *([f"{waiting} deliveries are pending"] if waiting else []), *_order_faults(posts, log)]


def _order_faults(posts: Iterable[LocalPost], log: dict[str, Row]) -> list[str]:
    lanes: dict[str, list[str]] = defaultdict(list)
    for row in log.values():
        lanes[_lane(row)].append(row["id"])
    passed: set[str] = set()
    faults = []
    for post in posts:
        if post.event_id not in log:
            continue
        lane = lanes[_lane(log[post.event_id])]
        early = [one for one in lane[: lane.index(post.event_id)] if one not in passed]
        faults += [f"PASSED: {post.event_id} came before {one}" for one in early]
        if post.lets_pass:
            passed.add(post.event_id)
    return faults


def _lane(row: Row) -> str:
    return str(row["session_id"] or row["connection_id"] or row["id"])
