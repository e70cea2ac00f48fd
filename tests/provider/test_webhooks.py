"""Webhooks of the provider, and everything that only resembles one."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import example, given
from hypothesis import strategies as st

from service.errors import BadBody, BadSignature
from service.provider.webhooks import TOLERANCE_SECONDS, WebhookEvent, given_signature, parse_event, verify
from tests.support.webhook_vectors import BODY, CONNECTION, OTHER, SECRET, SENT, SIGNATURE, event, headers

COMPANY = "33333333-3333-4333-8333-333333333333"
UPDATED_AT = 1_767_607_200.0


@pytest.mark.parametrize("family", ["svix", "webhook", "Svix", "WEBHOOK"])
def test_the_published_vector_verifies_under_either_name(family: str) -> None:
    assert verify([SECRET], headers(family), BODY, SENT) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_each_secret_of_a_rotation_is_accepted() -> None:
    assert verify([OTHER, SECRET], headers(), BODY, SENT) == verify([SECRET, OTHER], headers(), BODY, SENT)


def test_one_good_signature_among_several_is_enough() -> None:
    mixed = f"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,AAAA v1a,BBBB {SIGNATURE} rubbish"
    assert verify([SECRET], headers(signature=mixed), BODY, SENT) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize("off", [-TOLERANCE_SECONDS, 0, TOLERANCE_SECONDS])
def test_a_clock_may_be_five_minutes_off(off: int) -> None:
    assert verify([SECRET], headers(), BODY, SENT + off) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize("off", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_an_old_or_future_message_is_refused(off: int) -> None:
    with pytest.raises(BadSignature, match="five minutes"):
        verify([SECRET], headers(), BODY, SENT + off)


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": ""},
        {"signature": "v1,"},
        {"signature": SIGNATURE[:-2]},
        {"signature": SIGNATURE[3:]},
        {"signature": "v2," + SIGNATURE[3:]},
        {"signature": SIGNATURE.replace(",", ":")},
        {"signature": "v1,é\ud800"},
        {"id": "msg_other"},
        {"id": ""},
        {"id": "msg\n"},
        {"id": "x" * 256},
        {"timestamp": str(SENT + 1)},
        {"timestamp": f" {SENT}"},
        {"timestamp": f"+{SENT}"},
        {"timestamp": "1e9"},
        {"timestamp": ""},
        {"timestamp": "١٦١٤٢٦٥٣٣٠"},
    ],
)
def test_a_message_that_was_changed_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify([SECRET], headers(**changes), BODY, SENT)


@pytest.mark.parametrize("signature", ["", "v1,", "rubbish", SIGNATURE[:-1], f"{SIGNATURE}more", "v2," + SIGNATURE[3:]])
def test_headers_without_a_signature_in_its_form_are_refused_without_the_body(signature: str) -> None:
    with pytest.raises(BadSignature, match=r"not by any secret that we know$"):
        given_signature(headers(signature=signature), SENT)


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"2", b"3", 1)])
def test_a_body_that_was_changed_is_refused(body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify([SECRET], headers(), body, SENT)


def test_an_unknown_secret_or_none_is_refused() -> None:
    for secrets in ([], [OTHER]):
        with pytest.raises(BadSignature):
            verify(secrets, headers(), BODY, SENT)


def test_headers_of_two_families_are_not_mixed() -> None:
    mixed = headers() | {"webhook-signature": SIGNATURE}
    del mixed["svix-signature"]
    with pytest.raises(BadSignature):
        verify([SECRET], mixed, BODY, SENT)


@given(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9_]{1,40}", fullmatch=True), st.integers(10**9, 10**10))
def test_what_the_unmodified_libraries_sign_verifies(body: str, message_id: str, sent: int) -> None:
    at = datetime.fromtimestamp(sent, UTC)
    for family, library in (("svix", svix.webhooks.Webhook), ("webhook", standardwebhooks.Webhook)):
        signature = library(OTHER).sign(message_id, at, body)
        signed = headers(family, id=message_id, timestamp=str(sent), signature=signature)
        assert verify([SECRET, OTHER], signed, body.encode(), sent) == message_id


NAMES = st.sampled_from([*headers(), *headers("webhook"), "SVIX-ID", "other"])
VALUES = st.text(max_size=40) | st.sampled_from([SIGNATURE, str(SENT), "msg_1", "v1,\ud800", "v1, v1,,"])


@given(st.dictionaries(NAMES, VALUES), st.binary(max_size=60))
@example(headers(), b"")
def test_nothing_that_a_stranger_sends_verifies_or_breaks(given_headers: Mapping[str, str], body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify([SECRET, OTHER], given_headers, body, SENT)


GENERATIONS: list[dict[str, Any]] = [
    {
        "id": CONNECTION,
        "company": {"id": COMPANY, "name": "Example Co", "externalId": "ex-1", "publicId": "pub"},
        "datasource": {"name": "Sandbox Utility"},
        "sitesRelations": [{"accountIds": [], "datasourceTypes": [], "site": {"id": "s", "name": "HQ"}}],
        "updated": "2026-01-05T10:00:00.000000",
        "status": "PENDING",
    },
    {
        "eventType": "connection.created.v2",
        "id": CONNECTION,
        "company": {"id": COMPANY, "name": "Example Co", "externalId": None},
        "datasource": {"name": "Sandbox Utility", "url": "https://nectarclimate.com"},
        "emails": [],
        "updated": "2026-01-05T10:00:00.000000000",
    },
    {"eventType": "connection.validated.v2", "id": CONNECTION, "updated": "2026-01-05T10:00:00Z", "accounts": []},
]


@pytest.mark.parametrize(
    ("payload", "type_", "company_id"),
    [
        (GENERATIONS[0], "connection.unnamed", COMPANY),
        (GENERATIONS[1], "connection.created.v2", COMPANY),
        (GENERATIONS[2], "connection.validated.v2", None),
    ],
)
def test_all_generations_of_connection_payloads_are_read(
    payload: dict[str, Any], type_: str, company_id: str | None
) -> None:
    parsed = parse_event(json.dumps(payload).encode())
    assert parsed == parse_event(parsed.text().encode()) == WebhookEvent(type_, CONNECTION, company_id)


def test_a_document_names_its_company_by_id_alone() -> None:
    parsed = parse_event(event(eventType="document.created.v2", company=COMPANY, billDate="2025-12-31"))
    assert (parsed.type, parsed.id, parsed.company_id) == ("document.created.v2", CONNECTION, COMPANY)
    assert parse_event(event(eventType=None, billDate="2025-12-31")).type == "document.unnamed"
    assert parse_event(event(eventType="document.deleted.v2")).company_id is None


@pytest.mark.parametrize("identifier", [None, 7, "../c", {}])
@pytest.mark.parametrize("type_", ["document.created.v2", None])
@pytest.mark.parametrize("company", [COMPANY, {"id": COMPANY}])
def test_a_document_with_a_company_needs_no_id(identifier: object, type_: str | None, company: object) -> None:
    parsed = parse_event(event(eventType=type_, id=identifier, company=company, billDate="2025-12-31"))
    assert (parsed.type, parsed.id, parsed.company_id) == (type_ or "document.unnamed", None, COMPANY)


def test_an_event_in_an_envelope_is_read_too() -> None:
    body = json.dumps({"type": "connection.created.v2", "timestamp": "x", "data": {"id": CONNECTION}}).encode()
    assert (parse_event(body).type, parse_event(body).id) == ("connection.created.v2", CONNECTION)


def test_an_unknown_event_is_an_event_all_the_same() -> None:
    assert parse_event(b'{"eventType": "company.renamed"}') == WebhookEvent("company.renamed", None, None)


@pytest.mark.parametrize("updated", [None, 5, "soon", ""])
def test_an_unreadable_time_or_company_leaves_the_event(updated: object) -> None:
    assert parse_event(event(updated=updated, company=5)).company_id is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b"[" * 100_000,
        b'{"id": NaN}',
        b'{"id": "a"}',
        event(eventType="connection created"),
        event(eventType=5),
        event(eventType="x" * 101),
        event(id=None),
        event(id="../c"),
        event(id=5),
        event(id=None, company=COMPANY),
        b'{"eventType": "document.updated.v2"}',
        event(eventType="document.updated.v2", id=None, company="../c"),
        b'{"a": ' + b"1" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        parse_event(body)


KEYS = st.sampled_from(["id", "eventType", "type", "company", "updated", "data", "datasource", "billDate"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("connection.created.v2"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_event_or_a_bad_body(body: bytes) -> None:
    try:
        parsed = parse_event(body)
    except BadBody:
        return
    assert parsed.type.isascii()
    assert parsed.id is None or parsed.id.isascii()
    assert parse_event(parsed.text().encode()) == parsed
