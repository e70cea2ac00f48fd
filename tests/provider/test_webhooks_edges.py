"""Webhooks at the edges of what is allowed: signed well, and still refused; odd, and still read."""

import base64
import hashlib
import hmac
import json

import pytest

from service.errors import BadBody, BadSignature
from service.provider.webhooks import parse_event, verify
from tests.support.webhook_vectors import BODY, CONNECTION, OTHER, SECRET, SENT, event, headers


def signed(message_id: str, timestamp: str, secret: str = OTHER) -> dict[str, str]:
    """Headers whose signature holds, whatever they say."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{message_id}.{timestamp}.".encode() + BODY
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return headers(id=message_id, timestamp=timestamp, signature=f"v1,{signature}")


@pytest.mark.parametrize("message_id", ["!", "~", "m" * 255])
def test_a_message_id_of_up_to_255_visible_letters_is_accepted(message_id: str) -> None:
    assert verify([OTHER], signed(message_id, str(SENT)), BODY, SENT) == message_id


@pytest.mark.parametrize("message_id", ["", "m" * 256, "a b", "msg\n", "\u00e9", "msg\x7f"])
def test_another_message_id_is_refused_although_it_is_signed(message_id: str) -> None:
    with pytest.raises(BadSignature):
        verify([OTHER], signed(message_id, str(SENT)), BODY, SENT)


@pytest.mark.parametrize("timestamp", ["1", f"00{SENT}"])
def test_a_timestamp_of_up_to_twelve_digits_is_accepted(timestamp: str) -> None:
    assert verify([OTHER], signed("msg_1", timestamp), BODY, int(timestamp)) == "msg_1"


@pytest.mark.parametrize("timestamp", [f"000{SENT}", f"+{SENT}", f"{SENT} ", f"{SENT}\n", f"{SENT}.0", f"-{SENT}"])
def test_another_timestamp_is_refused_although_it_is_signed(timestamp: str) -> None:
    with pytest.raises(BadSignature):
        verify([OTHER], signed("msg_1", timestamp), BODY, SENT)


@pytest.mark.parametrize("off", [-300, 300])
def test_five_minutes_are_300_seconds(off: int) -> None:
    assert verify([SECRET], headers(), BODY, SENT + off) == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    with pytest.raises(BadSignature):
        verify([SECRET], headers(), BODY, SENT + off + off / 1000)


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        *(("connection.unnamed", field) for field in ("sitesRelations", "initialSites", "accounts", "datasource")),
        *(("document.unnamed", field) for field in ("billDate", "lineItems", "usageData")),
    ],
)
def test_each_field_that_no_other_payload_has_shows_the_type(type_: str, field: str) -> None:
    assert parse_event(json.dumps({"id": CONNECTION, field: None}).encode()).type == type_


@pytest.mark.parametrize("field", ["datasource", "billDate"])
@pytest.mark.parametrize("named", ["two words", 5, "x" * 101])
def test_a_name_that_cannot_be_read_is_not_guessed_from_the_fields(field: str, named: object) -> None:
    with pytest.raises(BadBody):
        parse_event(event(eventType=named, **{field: None}))


def test_an_event_with_an_empty_name_is_refused() -> None:
    with pytest.raises(BadBody):
        parse_event(event(eventType="", type=""))


@pytest.mark.parametrize("named", ["x", "x" * 100])
def test_a_type_of_up_to_100_letters_is_read(named: str) -> None:
    assert parse_event(event(eventType=named)).type == named


def test_an_event_that_calls_its_name_type_is_read() -> None:
    assert (
        parse_event(json.dumps({"type": "connection.created.v2", "id": CONNECTION}).encode()).type
        == "connection.created.v2"
    )


@pytest.mark.parametrize("identifier", ["c", "c" * 100])
def test_an_id_of_up_to_100_letters_is_read(identifier: str) -> None:
    assert parse_event(event(id=identifier)).id == identifier


@pytest.mark.parametrize("identifier", ["", "c" * 101, "c/../d", "c\n", "c?d"])
def test_an_id_that_would_not_stay_in_its_place_in_an_address_is_refused(identifier: str) -> None:
    with pytest.raises(BadBody):
        parse_event(event(id=identifier))


def test_an_event_with_data_of_its_own_is_no_envelope() -> None:
    parsed = parse_event(event(data={"id": "other", "eventType": "document.created.v2"}))
    assert (parsed.type, parsed.id) == ("connection.updated.v2", CONNECTION)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_makes_the_body_bad(constant: str) -> None:
    with pytest.raises(BadBody):
        parse_event(event(updated="?").replace(b'"?"', constant.encode()))
