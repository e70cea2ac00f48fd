"""What we sign: every refusal by name, purposes that do not mix, keys that rotate, URLs that are derived again."""

import hashlib
import re
from dataclasses import replace

import pytest
from itsdangerous import URLSafeSerializer

from service.domain.model import SessionId, Tenant, UserId
from service.domain.tokens import CallbackState, PageToken, SessionResult, digest, key_id
from service.errors import BadState, NotFound, ResultOfAnotherUser
from service.signing import Signer
from tests.support.signed_texts import (
    ADA,
    AT,
    CONNECT,
    EMBED,
    FOREIGN,
    HANDOFF,
    KID,
    NEW,
    OLD,
    OUTCOME,
    READ,
    READERS,
    RESULT,
    SIGNER,
    STATE,
    STATUS,
    TENANT,
    TOKEN,
    WAY_BACK,
    payload,
    read_result,
)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("other", READERS)
def test_what_was_signed_for_one_purpose_is_refused_for_every_other(kind: str, other: str) -> None:
    read, _, refusal = READERS[kind]
    text = READERS[other][1]
    if kind == other:
        assert read(text)
        return
    with pytest.raises(refusal):
        read(text)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b", "a" * 2049, "é.é", "\x00", "\ud800", "W10.\ud800", "\ud800.W10", "=", "W10.W10"]
)
def test_what_nobody_signed_is_refused(kind: str, text: str) -> None:
    read, _, refusal = READERS[kind]
    with pytest.raises(refusal):
        read(text)


@pytest.mark.parametrize("kind", READERS)
def test_a_strangers_signature_is_refused(kind: str) -> None:
    stranger = Signer([FOREIGN])
    forged = {
        "embed": stranger.embed_token(TOKEN, KID),
        "connect": stranger.connect_token(TOKEN, KID),
        "state": stranger.sign_state(STATE),
        "result": stranger.sign_result(RESULT),
        "status": stranger.sign_status_token(STATUS),
        "handoff": stranger.sign_handoff(HANDOFF),
    }
    read, _, refusal = READERS[kind]
    with pytest.raises(refusal):
        read(forged[kind])


def test_a_signature_spelled_with_other_spare_bits_is_refused() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(WAY_BACK[-1])
    with pytest.raises(BadState):
        SIGNER.read_state(WAY_BACK[:-1] + alphabet[last ^ 1])


def test_what_is_longer_than_anything_we_sign_is_refused_even_if_it_is_signed() -> None:
    longest, longer = (SIGNER.sign_state(CallbackState(SessionId("s" * size), ADA, 1)) for size in (1462, 1463))
    assert (len(longest), len(longer)) == (2048, 2050)
    assert SIGNER.read_state(longest).is_for(ADA)
    with pytest.raises(BadState):
        SIGNER.read_state(longer)


@pytest.mark.parametrize("user_id", ["\U0001f600" * 255, "\u4e00" * 255, "u" * 255])
def test_a_user_id_of_any_length_fits_and_does_not_show(user_id: str) -> None:
    state = SIGNER.sign_state(CallbackState(TOKEN.session_id, UserId(user_id), 1))
    read = SIGNER.read_state(state)
    assert len(state) < 300
    assert read.is_for(UserId(user_id))
    assert not read.is_for(UserId(user_id[:-1]))
    assert user_id not in str(read)


# page tokens


def test_a_page_token_is_read_as_it_was_signed() -> None:
    assert SIGNER.read_embed_token(EMBED) == SIGNER.read_connect_token(CONNECT) == TOKEN


def test_the_same_url_is_derived_again() -> None:
    assert SIGNER.embed_token(TOKEN, KID) == EMBED
    assert Signer([NEW, OLD]).connect_token(TOKEN, KID) == CONNECT


@pytest.mark.parametrize("changed", [PageToken(TOKEN.session_id, 2, AT), PageToken(TOKEN.session_id, 1, AT + 1)])
def test_another_serial_or_time_gives_another_url(changed: PageToken) -> None:
    assert SIGNER.embed_token(changed, KID) != EMBED


# rotation


def test_after_a_rotation_what_the_old_key_signed_still_verifies() -> None:
    before = Signer([OLD])
    assert SIGNER.read_embed_token(before.embed_token(TOKEN, before.newest_key_id)) == TOKEN
    assert SIGNER.read_state(before.sign_state(STATE)) == READ
    assert read_result(before.sign_result(RESULT)) == RESULT


def test_the_newest_key_signs() -> None:
    assert Signer([NEW]).read_state(WAY_BACK) == READ
    with pytest.raises(BadState):
        Signer([OLD]).read_state(WAY_BACK)


def test_a_new_key_is_accepted_before_it_signs() -> None:
    announced = Signer([OLD, NEW])
    assert announced.read_state(WAY_BACK) == READ
    assert Signer([OLD]).read_state(announced.sign_state(STATE)) == READ


def test_a_url_made_before_the_rotation_is_derived_again_with_its_own_key() -> None:
    before = Signer([OLD])
    kid = before.newest_key_id
    assert SIGNER.embed_token(TOKEN, kid) == before.embed_token(TOKEN, kid) != EMBED


def test_a_redirect_url_made_before_the_rotation_is_derived_again_with_its_own_key() -> None:
    before = Signer([OLD])
    kid = before.newest_key_id
    assert SIGNER.connect_token(TOKEN, kid) == before.connect_token(TOKEN, kid) != CONNECT


def test_a_url_whose_key_is_gone_is_derived_with_the_newest() -> None:
    assert Signer([NEW]).embed_token(TOKEN, key_id(OLD)) == EMBED


def test_what_a_dropped_key_signed_is_refused() -> None:
    with pytest.raises(NotFound):
        Signer([NEW]).read_embed_token(Signer([OLD]).embed_token(TOKEN, key_id(OLD)))


def test_key_ids_name_keys_and_reveal_nothing_of_them() -> None:
    assert key_id(OLD) != key_id(NEW) == KID
    assert key_id(OLD) not in digest(OLD)
    assert len(KID) == 8


# the way back


def test_a_state_is_read_as_it_was_signed() -> None:
    assert (READ.session_id, READ.page_serial) == (STATE.session_id, STATE.page_serial)
    assert READ.is_for(ADA)
    assert not READ.is_for(UserId("mallory"))


# results


def test_a_result_is_read_as_it_was_signed() -> None:
    assert read_result(OUTCOME) == RESULT


def test_a_result_without_a_connection_says_so() -> None:
    empty = SessionResult(TOKEN.session_id, TENANT, ADA, "exited", None, AT)
    assert read_result(SIGNER.sign_result(empty)) == empty


@pytest.mark.parametrize("now", [AT, AT + 86400])
def test_mallory_submits_adas_result_and_is_refused_at_any_time(now: float) -> None:
    with pytest.raises(ResultOfAnotherUser, match="another user") as refusal:
        SIGNER.read_result(OUTCOME, TENANT, UserId("mallory"), now)
    assert refusal.value.session_id == TOKEN.session_id


@pytest.mark.parametrize("user", ["ada", "mallory"])
def test_a_result_of_another_tenant_is_refused_in_the_same_words_and_names_no_session(user: str) -> None:
    with pytest.raises(BadState, match="another user") as refusal:
        SIGNER.read_result(OUTCOME, Tenant("elsewhere"), UserId(user), AT)
    assert type(refusal.value) is BadState


@pytest.mark.parametrize("now", [AT + 600.1, AT - 60.1])
def test_a_result_out_of_its_ten_minutes_is_refused(now: float) -> None:
    with pytest.raises(BadState, match="too old"):
        SIGNER.read_result(OUTCOME, TENANT, ADA, now)


@pytest.mark.parametrize("now", [AT + 600, AT - 60])
def test_a_result_within_its_ten_minutes_holds(now: float) -> None:
    assert SIGNER.read_result(OUTCOME, TENANT, ADA, now) == RESULT


@pytest.mark.parametrize("user", ["\ud800", "a\x00b", "\U0001f600" * 60])
def test_a_result_asked_for_by_an_odd_user_is_refused_and_breaks_nothing(user: str) -> None:
    with pytest.raises(BadState):
        SIGNER.read_result(OUTCOME, TENANT, UserId(user), AT)


def test_the_users_id_does_not_travel_in_the_result() -> None:
    text = SIGNER.sign_result(SessionResult(TOKEN.session_id, TENANT, UserId("ada@example.com"), "connected", None, AT))
    assert TOKEN.session_id.encode() in payload(text)
    assert b"ada" not in payload(text)


# digests


def test_digests_of_different_secrets_differ_and_are_not_their_plain_hash() -> None:
    assert digest("a") != digest("b")
    assert digest("a") != hashlib.sha256(b"a").hexdigest()


def test_a_digest_of_any_text_can_be_taken() -> None:
    assert digest("\ud800") != digest("\ud801")


def signed_as(salt: str, values: object) -> str:
    return str(URLSafeSerializer(NEW, salt=salt, signer_kwargs={"digest_method": hashlib.sha256}).dumps(values))


def test_a_status_token_needs_its_own_salt_and_shape() -> None:
    values = ["default", "usr_1", "https://app.example.com", AT]
    assert SIGNER.read_status_token(signed_as("user-status.v1", values)).user == "usr_1"
    wrong = [signed_as(salt, values) for salt in ("embed-token.v1", "connect-token.v1", "connect-result.v1", "x")]
    shapes: list[object] = [values[:3], [*values, 1], [*values[:3], True], {}, "a", None]
    wrong += [signed_as("user-status.v1", one) for one in shapes]
    for text in wrong:
        with pytest.raises(NotFound):
            SIGNER.read_status_token(text)


def test_a_handoff_token_needs_its_own_salt_and_shape() -> None:
    values = [HANDOFF.session_id, HANDOFF.nonce, HANDOFF.issued_at]
    assert SIGNER.read_handoff(signed_as("handoff-token.v1", values)) == HANDOFF
    wrong = [signed_as(salt, values) for salt in ("embed-token.v1", "connect-token.v1", "connect-state.v1", "x")]
    shapes: tuple[object, ...] = (
        [*values, 1],
        values[:2],
        [1, "n", 1],
        ["s", 1, 1],
        ["s", "n", True],
        {},
        "text",
        None,
    )
    for text in [*wrong, *(signed_as("handoff-token.v1", shape) for shape in shapes)]:
        with pytest.raises(NotFound):
            SIGNER.read_handoff(text)


def test_the_code_of_another_device_is_six_digits_of_this_offer_and_these_keys() -> None:
    code = SIGNER.handoff_code(HANDOFF)
    assert re.fullmatch(r"[0-9]{6}", code)
    assert SIGNER.is_handoff_code(HANDOFF, code)
    others = [replace(HANDOFF, nonce="other"), replace(HANDOFF, issued_at=AT + 1)]
    others.append(replace(HANDOFF, session_id=SessionId("ses_other")))
    assert not any(SIGNER.is_handoff_code(other, code) for other in others)
    assert not Signer([FOREIGN]).is_handoff_code(HANDOFF, code)
    assert Signer(["m" * 32, NEW]).is_handoff_code(HANDOFF, code)  # after a rotation
    assert not any(
        SIGNER.is_handoff_code(HANDOFF, text)
        for text in ("", code[:5], f"{code}0", "\ud800", "\u0661\u0662\u0663\u0664\u0665\u0666")
    )
