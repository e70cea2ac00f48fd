"""Calls a running service's API for the commands, and formats its answers for `main` to print."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from service.commands.proxies import environment_problem, is_http_address, proxy_variable
from service.commands.status_lines import lines_of, turn_of

T = TypeVar("T")
Json = dict[str, Any]
Query = Mapping[str, str | int | None]
Column = tuple[str, Callable[[Json], object]]

_LOCAL_KEY = "dev-key"
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_EVENTS_WAIT_SECONDS = 25
_TIMEOUT = httpx.Timeout(40.0, connect=5.0)  # for an answer: longer than a call for events waits
_PAGE_SIZE = 100
_RESTART_SECONDS = 60.0
# How `magiclink link --wait` ends for each status; 1 and 2 are errors of the command itself.
EXIT_CODES = {"connected": 0, "submitted": 10, "exited": 11, "failed": 12, "expired": 13, "revoked": 14}


class CommandError(Exception):
    """A failure as one line that a person can act on."""


class ServiceUnreachable(CommandError):
    """The service did not answer, or answered 5xx: it may be restarting."""


class ApiClient:
    """A client of the service's API. Raises only CommandError.

    Without a key, `dev-key` is used for a service on this machine.
    """

    def __init__(self, url: str, key: str | None, transport: httpx.BaseTransport | None = None) -> None:
        if not is_http_address(url):
            raise CommandError(f"{url!r} is not an address of a service; write it as http://localhost:8000 (--url).")
        parts = urlsplit(url)
        key = key or (_LOCAL_KEY if parts.hostname in _LOCAL_HOSTS else None)
        if not key:
            raise CommandError("An API key is needed: give --key, or set MAGICLINK_API_KEY or MAGICLINK_API_KEY_FILE.")
        # httpx would raise an error that repeats the key.
        if not key.isascii() or not key.isprintable():
            raise CommandError("The API key has characters that cannot travel in a header; copy it again.")
        self._url = url.rstrip("/")
        is_local = parts.hostname in _LOCAL_HOSTS
        self._proxy = None if is_local else proxy_variable(parts.scheme, parts.hostname or "", os.environ)
        headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        # A proxy cannot reach what runs on this machine.
        try:
            self._http = httpx.Client(transport=transport, timeout=_TIMEOUT, headers=headers, trust_env=not is_local)
        except (OSError, httpx.InvalidURL, ValueError, ImportError) as exc:
            raise CommandError(environment_problem(exc)) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, query: Query | None = None) -> Json:
        params = {name: str(value) for name, value in (query or {}).items() if value is not None}
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Json, *needed: str) -> Json:
        """Return the answer, which has the needed fields."""
        return self.checked(self._call("POST", path, json=body), *needed)

    def checked(self, row: Json, *needed: str) -> Json:
        """Return a row of an answer. Raises CommandError where it lacks a field: another service may answer there."""
        if not row.keys() >= set(needed):
            raise self._unexpected_answer()
        return row

    def rows(self, path: str, query: Query, most: int) -> list[Json]:
        """Return up to `most` rows of a list, over as many pages as needed."""
        rows: list[Json] = []
        after: str | None = None
        while len(rows) < most:
            page = self.get(path, {**query, "limit": min(_PAGE_SIZE, most - len(rows)), "after": after})
            rows += self._data(page)
            after = page.get("next")
            if not after:
                break
        return rows

    def events(
        self, after: str | None, *, wait_seconds: int = 0, most: int = _PAGE_SIZE
    ) -> tuple[list[Json], str | None]:
        """Return one page of events after a cursor, and the cursor after them; wait for one where there is none."""
        page = self.get("/v1/events", {"after": after, "wait": wait_seconds or None, "limit": most})
        rows = self._data(page)
        return rows, page.get("next") or (str(rows[-1].get("seq")) if rows else after)

    def _data(self, page: Json) -> list[Json]:
        data = page.get("data")
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise self._unexpected_answer()
        return data

    def _unexpected_answer(self) -> CommandError:
        return CommandError(f"{self._url} answered, but not as magiclink does. Is --url right?{self._proxy_advice()}")

    def _proxy_advice(self) -> str:
        if self._proxy is None:
            return ""
        host = urlsplit(self._url).hostname
        return f" The call goes through the proxy of {self._proxy}; NO_PROXY={host} makes it go directly."

    def _call(self, method: str, path: str, **request: Any) -> Json:
        try:
            answer = self._http.request(method, self._url + path, **request)
        except httpx.HTTPError as exc:
            raise ServiceUnreachable(
                f"{self._url} does not answer. Is it running (magiclink dev), and is --url right?{self._proxy_advice()}"
            ) from exc
        try:
            body = answer.json()
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise self._unexpected_answer()
        if not answer.is_success:
            raise (ServiceUnreachable if answer.status_code >= 500 else CommandError)(
                _refusal(answer.status_code, body)
            )
        return body


def _refusal(status: int, problem: Json) -> str:
    if status == 401:
        return "The service does not know this API key; give --key, or set MAGICLINK_API_KEY or MAGICLINK_API_KEY_FILE."
    errors = problem.get("errors")
    # Another service may have another shape of errors there.
    ours = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    details = "; ".join(f"{each.get('pointer')}: {each.get('detail')}" for each in ours)
    message = details or problem.get("detail") or problem.get("title") or f"status {status}"
    return f"Refused ({problem.get('code', status)}): {message}"


def named(text: str) -> Json:
    """Parse a company or site: `ID`, `ID=NAME` or `ID=NAME@ADDRESS`. A UUID is the provider's own id."""
    identity, _, rest = text.partition("=")
    try:
        return {"id": str(UUID(identity))}
    except ValueError:
        name, _, address = rest.partition("@")
    entry = {"externalId": identity.strip(), "name": name.strip() or identity.strip()}
    return entry | ({"address": address.strip()} if address.strip() else {})


def session_body(*, user: str, company: str, sites: Sequence[str], link: str | None, **others: Any) -> Json:
    """Return the body of `POST /v1/sessions` for the command's options; what is not given is the service's choice."""
    optional = {"link": link, "userEmail": others.get("email"), "expiresIn": others.get("expires_in")}
    return {
        "userId": user,
        "company": named(company),
        "sites": [named(site) for site in sites],
        **{name: value for name, value in optional.items() if value is not None},
    }


class Patience:
    """Repeats a read for a minute while the service does not answer, so that its restart does not end a command."""

    def __init__(self, pause: Callable[[], None], monotonic: Callable[[], float], say: Callable[[str], None]) -> None:
        self.pause = pause
        self._monotonic = monotonic
        self._say = say

    def read(self, read: Callable[[], T]) -> T:
        """Return what `read` returns. Raises ServiceUnreachable."""
        until = self._monotonic() + _RESTART_SECONDS
        is_first = True
        while True:
            try:
                return read()
            except ServiceUnreachable as exc:
                # By the clock: an address that drops packets takes as long for one answer as another for sixty.
                if self._monotonic() >= until:
                    raise
                if is_first:
                    self._say(f"{exc} Trying again for {_RESTART_SECONDS:.0f} seconds.")
            is_first = False
            self.pause()


def watch(service: ApiClient, session: Json, patience: Patience) -> Iterator[Json]:
    """Yield the session after each change, until its status is one of `EXIT_CODES`."""
    seen = session
    while seen["status"] not in EXIT_CODES:
        patience.pause()
        now = patience.read(lambda: service.get(f"/v1/sessions/{session['id']}"))
        if changes_between(seen, now):
            yield now
        seen = now


def events(service: ApiClient, after: str | None, patience: Patience | None = None) -> Iterator[Json]:
    """Yield the events after a cursor, oldest first; with `patience` without end, else up to the newest."""

    def page() -> tuple[list[Json], str | None]:
        return service.events(after, wait_seconds=_EVENTS_WAIT_SECONDS if patience else 0)

    while True:
        rows, after = patience.read(page) if patience else page()
        yield from rows
        if not patience and len(rows) < _PAGE_SIZE:
            return


def changes_between(before: Json, now: Json) -> list[str]:
    """Return one line for each change of a session that a person who follows it wants to read."""
    known = {(row["id"], row.get("status")) for row in before.get("connections") or []}
    changed = [row for row in now.get("connections") or [] if (row["id"], row.get("status")) not in known]
    link = now.get("link") or {}
    lines = [f"link {link.get('kind')} {link.get('status')}"] if before.get("link") != now.get("link") else []
    lines += [line for row in changed for line in lines_of(row)]
    lines += [f"session {now['status']}"] if before["status"] != now["status"] else []
    return lines


def table(columns: Sequence[Column], rows: Sequence[Json], *, heading: bool = True) -> str:
    """Return rows as plain text in columns, with "?" for every character that is not printable."""
    lines = [[_plain(read(row)) for _, read in columns] for row in rows]
    if heading:
        lines.insert(0, [name for name, _ in columns])
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _plain(value: object) -> str:
    # Names come from hosts and from the provider: an escape sequence in one could steer the operator's terminal.
    text = "-" if value is None or value == "" else str(value)
    return "".join(character if character.isprintable() else "?" for character in text)


def _candidate(one: Json) -> str:
    return f"{one['userId'] or 'erased user'} ({one['sessionId']})"


SESSIONS: Sequence[Column] = (
    ("SESSION", lambda row: row.get("id")),
    ("USER", lambda row: row.get("userId")),
    ("STATUS", lambda row: row.get("status")),
    ("LINK", lambda row: f"{row['link'].get('kind') or '-'} {row['link'].get('status')}" if row.get("link") else None),
    ("COMPANY", lambda row: (row.get("company") or {}).get("externalId") or (row.get("company") or {}).get("id")),
    ("CREATED", lambda row: row.get("createdAt")),
    ("EXPIRES", lambda row: row.get("expiresAt")),
)
CONNECTIONS: Sequence[Column] = (
    ("CONNECTION", lambda row: row.get("id")),
    ("USER", lambda row: row.get("userId")),
    ("STATUS", lambda row: row.get("status")),
    ("TURN", turn_of),
    ("PROVIDER", lambda row: (row.get("provider") or {}).get("name") or (row.get("provider") or {}).get("url")),
    ("EVIDENCE", lambda row: (row.get("evidence") or {}).get("kind")),
    ("RECORDED", lambda row: row.get("recordedAt")),
)
UNATTRIBUTED: Sequence[Column] = (
    *(column for column in CONNECTIONS if column[0] not in {"USER", "EVIDENCE"}),
    ("CANDIDATES", lambda row: ", ".join(map(_candidate, row.get("candidates", [])))),
)
ENDPOINTS: Sequence[Column] = (
    ("ENDPOINT", lambda row: row.get("id")),
    ("URL", lambda row: row.get("url")),
    ("STATUS", lambda row: " ".join(filter(None, (row.get("status"), row.get("disabledReason"))))),
    ("HEALTH", lambda row: "failing" if (row.get("health") or {}).get("failingSince") else "healthy"),
    ("LAST SUCCESS", lambda row: (row.get("health") or {}).get("lastSuccessAt")),
    ("OLDEST PENDING", lambda row: (row.get("health") or {}).get("oldestPendingAt")),
)
EVENTS: Sequence[Column] = (
    ("AT", lambda row: row.get("at")),
    ("EVENT", lambda row: str(row.get("type")).ljust(26)),
    ("SESSION", lambda row: row.get("sessionId")),
    ("CONNECTION", lambda row: row.get("connectionId")),
    ("USER", lambda row: row.get("userId")),
    ("DATA", lambda row: json.dumps(row["data"]) if row.get("data") else None),
)
