"""The commands about events and where they go: `events`, `events replay`, `endpoints` and `listen`."""

import json
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click
import httpx

from service.commands import api_client, event_log
from service.commands.options import as_json, limit, over_http, patience, show
from service.commands.proxies import is_http_address
from service.domain.endpoints import EndpointSecret
from service.domain.event_types import event_names
from service.outbound import new_secret, signed_headers

_FORWARD_SECONDS = 15.0


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - a command reads the machine's clock


def _time(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    try:
        return None if text is None else event_log.time_of(text, _now())
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


def _types(_context: click.Context, _option: click.Parameter, types: tuple[str, ...]) -> tuple[str, ...]:
    # Otherwise the command prints nothing, as if there were no such events.
    for one in types:
        if not any(event_log.is_of_type(name, one) for name in event_names()):
            raise click.BadParameter(f"{one!r} is no type of event; the README lists them.")
    return types


def _target(_context: click.Context, _option: click.Parameter, url: str) -> str:
    # Otherwise `listen` waits for an event before each post fails.
    if not is_http_address(url):
        raise click.BadParameter(f"{url!r} is not an address to post to; write it as http://localhost:3000/hooks.")
    return url


_POSITION = click.IntRange(0, event_log.MOST)


@click.group(invoke_without_command=True)
@click.option("--type", "types", multiple=True, callback=_types, help="Only this type, or connection.*; repeatable.")
@click.option("--session", help="Only this session's.")
@click.option("--user", help="Only this user's.")
@click.option("--since", callback=_time, help="Only since then: 90s, 15m, 2h, 7d ago, or a time.")
@click.option("--tail", type=click.IntRange(0, 10_000), help="Only so many, the newest.")
@click.option("--follow", is_flag=True, help="Continue until Ctrl-C.")
@click.option("--after", type=_POSITION, help="Start after the event with this seq.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@over_http
def events(service: api_client.ApiClient, *, as_json: bool, follow: bool, **options: Any) -> None:
    """Print the events, oldest first."""
    for row in _wanted(service, patience() if follow else None, **options):
        click.echo(json.dumps(row) if as_json else api_client.table(api_client.EVENTS, [row], heading=False))


def _wanted(
    service: api_client.ApiClient,
    patient: api_client.Patience | None,
    *,
    after: int | None,
    tail: int | None,
    since: datetime | None,
    **filters: Any,
) -> Iterator[api_client.Json]:
    passes = event_log.wanted(filters["types"], filters["session"], filters["user"], since)
    if after is None and since is not None:
        after = event_log.position_before(service, since)
    if tail is not None:
        rows, after = event_log.tail(service, tail, passes, after or 0)
        yield from rows
        if patient is None:
            return
    yield from event_log.following(service, after, passes, patient)


@events.command()
@click.argument("endpoint", metavar="ENDPOINT")
@click.option("--since", callback=_time, required=True, help="90s, 15m, 2h, 7d ago, or a time.")
@over_http
def replay(service: api_client.ApiClient, *, endpoint: str, since: datetime) -> None:
    """Deliver all events since a time to an endpoint again."""
    path, needed = f"/v1/webhook-endpoints/{endpoint}/replay", ("id", "since", "endpointId")
    made = service.post(path, {"since": since.isoformat()}, *needed)
    click.echo(f"{made['id']}: the events since {made['since']} are delivered to {made['endpointId']} again.")


@click.command()
@limit
@as_json
@over_http
def endpoints(service: api_client.ApiClient, *, limit: int, as_json: bool) -> None:
    """List webhook endpoints with their health, newest first."""
    rows = service.rows("/v1/webhook-endpoints", {}, limit)
    show(api_client.ENDPOINTS, rows, as_json=as_json, nothing="No endpoints.")


@click.command()
@click.option(
    "--forward-to",
    "target",
    callback=_target,
    required=True,
    help="Where to post them, as in http://localhost:3000/hooks.",
)
@click.option("--type", "types", multiple=True, callback=_types, help="Only this type, or connection.*; repeatable.")
@click.option("--session", help="Only this session's.")
@click.option("--after", type=_POSITION, help="Start after the event with this seq; from now on by default.")
@over_http
def listen(service: api_client.ApiClient, *, target: str, after: int | None, **filters: Any) -> None:
    """Post events as they happen to a machine that cannot be reached from outside, signed like a delivery."""
    key, private_key = new_secret(secrets.token_bytes)
    # It signs for this command alone: the secret of an endpoint does not leave the service.
    secret = EndpointSecret("", key, private_key, 0.0)
    start = event_log.end(service) if after is None else after
    click.echo(f"Verify with {key} until this command ends. Ctrl-C ends it.", err=True)
    passes = event_log.wanted(filters["types"], filters["session"], None, None)
    # No redirects and no proxy, as deliveries have none.
    with httpx.Client(timeout=_FORWARD_SECONDS, trust_env=False, follow_redirects=False) as receiver:
        for row in event_log.following(service, start, passes, patience()):
            answer = _forward(receiver, target, service.checked(row, "id", "type", "at"), secret)
            click.echo(f"{answer:<24}  {api_client.table(api_client.EVENTS, [row], heading=False)}")


def _forward(receiver: httpx.Client, target: str, row: api_client.Json, secret: EndpointSecret) -> str:
    body = json.dumps({"type": row["type"], "timestamp": row["at"], "data": row}, separators=(",", ":")).encode()
    headers = signed_headers([secret], str(row["id"]), int(_now().timestamp()), body)
    try:
        answer = receiver.post(target, content=body, headers={**headers, "Content-Type": "application/json"})
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return type(exc).__name__
    return str(answer.status_code)
