"""A field of a session is in every place that needs it; a test that fails names the place where it was forgotten."""

from collections.abc import Iterable
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from service.domain.model import Company, LinkStatus, Session, SessionId, UserRef
from service.domain.provider_steps import LogStep
from service.domain.requests import SessionRequest, new_session
from service.domain.session_status import Progress
from service.store.encryption import Cipher
from service.store.session_rows import session_values, sessions_of
from service.web.api.answers import SessionJson
from service.web.api.bodies import CreateSession, Reconnect
from service.web.request_body import parse
from tests.support.domain_values import COMPANY, NOW, SITE, TENANT, link

ORIGIN = "https://app.example.com"
CONNECTION_ID = "5f2b6c1e-8a3d-4f1e-9b57-0c2d4e6f8a10"
# Every field of a body that has a default has another value here.
OPTIONS: dict[str, Any] = {
    "link": "invitation",
    "origin": ORIGIN,
    "returnUrl": f"{ORIGIN}/done",
    "expiresIn": 600,
    "locale": "de",
    "metadata": {"plan": "pro"},
    "prepare": "now",
    "userEmail": "ada@example.com",
    "userLabel": "Ada",
    "supportUrl": "mailto:help@example.com",
    "helpUrls": {"login": "https://help.example.com/login"},
    "webhookUrl": f"{ORIGIN}/hooks/7",
    "theme": {"mode": "dark", "accent": "#66cfb7", "radius": 8, "logoUrl": f"{ORIGIN}/logo.svg", "name": "Acme"},
    "ancestors": [ORIGIN],
    "maxConnections": 3,
}
CONNECT = OPTIONS | {
    "userId": "ada",
    "company": {"externalId": "acme", "name": "Acme Ltd"},
    "sites": [{"externalId": "hq", "name": "Headquarters"}],
    "prefill": {"country": "US"},
}
RECONNECT = OPTIONS | {"userId": "ada", "connectionId": CONNECTION_ID}

ONLY_FOR_THE_CALL = {"prepare"}  # when the call answers, not what the session is
DECIDED_BY_THE_CONNECTION = {"user_id", "company", "sites", "connection_id", "prefill"}
STORED_AS = {"expires_in": "expires_at", "link": "link_choice"}
# What a host is not told of a session: what it sent for the page only, and what only the service needs.
SENT_FOR_THE_PAGE = {"locale", "user_label", "user_email", "support_url", "help_urls", "prefill", "theme", "ancestors"}
INTERNAL = {
    *(
        "tenant",
        "user",
        "serial",
        "issued_at",
        "key_id",
        "page_hash",
        "page_serial",
        "taken_over",
        "opened_at",
        "revealed_at",
    ),
    *("finished_at", "seen_at", "revoked_at", "left_at", "over_at", "settled_at", "link_used_at"),
    *("invitation_uses", "link_choice", "progress", "resume_hash", "resume_by_host", "resumed_by_host"),
    *(
        "webhook_endpoint",
        "provider_steps",
        "more_asked",
        "handoff_hash",
        "handoff_tries",
        "follower_hash",
        "follower_resume_hash",
    ),
}
_TIMES = (
    *("opened_at", "revealed_at", "finished_at", "seen_at", "revoked_at", "left_at", "over_at", "settled_at"),
    "link_used_at",
)
FOUND_BY_THE_ROUTE = {"webhook_endpoint"}  # beneath whose path `webhook_url` is
PART_OF_LINK = {"link_kind", "link_status"}


def names(kind: Any) -> set[str]:
    return {one.name for one in fields(kind)}


def left_at_default(value: Any) -> set[str]:
    defaults = {
        one.name: one.default if one.default_factory is MISSING else one.default_factory() for one in fields(value)
    }
    return {name for name, default in defaults.items() if getattr(value, name) == default}


def check_has(place: str, there: Iterable[str], needed: Iterable[str]) -> None:
    missing = sorted(set(needed) - set(there))
    assert not missing, f"{place} lacks {missing}"


def request_of(body: dict[str, Any]) -> SessionRequest:
    made: CreateSession = parse(CreateSession, body)
    return made.to_request("auto", [ORIGIN])


def drafted(request: SessionRequest) -> Session:
    return new_session(SessionId("ses_1"), TENANT, request, (UserRef("usr_1"), COMPANY, (SITE,)), (NOW, "k1"))


def test_the_body_and_the_request_have_the_same_fields() -> None:
    body = set(CreateSession.model_fields) - ONLY_FOR_THE_CALL
    check_has("SessionRequest", names(SessionRequest), body)
    check_has("CreateSession", body, names(SessionRequest) - FOUND_BY_THE_ROUTE)


def test_a_reconnect_takes_every_field_that_the_connection_does_not_decide() -> None:
    check_has("Reconnect", Reconnect.model_fields, set(CreateSession.model_fields) - DECIDED_BY_THE_CONNECTION)
    check_has("CreateSession", CreateSession.model_fields, Reconnect.model_fields)


def test_the_session_has_every_field_of_the_request() -> None:
    check_has("Session", names(Session), {STORED_AS.get(name, name) for name in names(SessionRequest)})


def test_the_answer_shows_every_field_of_the_session_that_is_not_kept_back() -> None:
    shown = names(Session) - SENT_FOR_THE_PAGE - INTERNAL - PART_OF_LINK
    check_has("SessionJson (or a list in this test)", SessionJson.__annotations__, map(to_camel, shown))


def test_the_samples_give_every_field() -> None:
    given = {name for body in (CONNECT, RECONNECT) for name in body}
    check_has("a sample in this test", given, map(to_camel, CreateSession.model_fields))


@pytest.mark.parametrize("body", [CONNECT, RECONNECT], ids=["connect", "reconnect"])
def test_what_the_body_says_arrives_in_the_request(body: dict[str, Any]) -> None:
    request = request_of(body)
    ignored = {name for name in left_at_default(request) if to_camel(name) in body}
    assert ignored == set(), f"to_request ignores {ignored}"


@pytest.mark.parametrize("body", [CONNECT, RECONNECT], ids=["connect", "reconnect"])
def test_what_the_request_says_arrives_in_the_session(body: dict[str, Any]) -> None:
    request = request_of(body)
    session = drafted(request)
    same = names(SessionRequest) & names(Session) - {"company", "sites", "link"}
    lost = {name for name in same if getattr(session, name) != getattr(request, name)}
    assert lost == set(), f"new_session does not copy {lost}"
    assert (session.link_choice, session.expires_at) == (request.link, NOW + request.expires_in)


def test_a_session_is_the_same_after_it_was_stored() -> None:
    later: dict[str, Any] = {"failure": "provider_refused", "page_hash": "digest", "page_serial": 2, "taken_over": True}
    later |= dict.fromkeys(_TIMES, NOW + 1)
    later |= {"provider_steps": (LogStep.VIEWED, LogStep.SUBMITTED)}
    later |= {"more_asked": 1, "handoff_hash": "digest", "handoff_tries": 1, "follower_hash": "digest"}
    later |= {"follower_resume_hash": "digest"}
    later |= {"resume_hash": "digest", "resume_by_host": True, "resumed_by_host": True}
    full = replace(
        drafted(replace(request_of(CONNECT), connection_id=request_of(RECONNECT).connection_id)),
        link=link(),
        link_status=LinkStatus.READY,
        invitation_uses=1,
        webhook_endpoint="whe_1",
        progress=Progress.SUBMITTED,
        **later,
    )
    assert left_at_default(full) == set(), f"this test gives no value to {left_at_default(full)}"

    cipher = Cipher(["k" * 32])
    company = {f"company_{name}": getattr(COMPANY, name) for name in names(Company)}
    row = session_values(full, cipher) | company | {"user_id": full.user_id}
    (stored,) = sessions_of([row], {SITE.ref: SITE}, cipher)
    lost = {one.name for one in fields(Session) if getattr(stored, one.name) != getattr(full, one.name)}
    assert lost == set(), f"store/rows.py loses {lost}"


@pytest.mark.parametrize("field", ["locale", "metadata"])
def test_null_means_not_given(field: str) -> None:
    assert request_of(CONNECT | {field: None}) == request_of(
        {key: value for key, value in CONNECT.items() if key != field}
    )
