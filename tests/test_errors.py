import re
from collections.abc import Iterator

import pytest

from service import errors
from service.errors import InvalidRequest, MagiclinkError, Problem, ProviderBroken, ProviderTimeout, RateLimited

PROMISED = {
    400: {"invalid_json", "bad_state", "bad_webhook"},
    401: {"unauthorized", "bad_webhook"},
    403: {"forbidden"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    409: {"session_closed", "already_claimed", "idempotency_in_progress", "already_open", "taken_over"},
    410: {"expired", "revoked"},
    413: {"too_large"},
    415: {"unsupported_media_type"},
    422: {"invalid_request", "provider_refused", "idempotency_key_reused"},
    429: {"rate_limited"},
    502: {"provider_error"},
    503: {"unavailable"},
    504: {"provider_timeout"},
}
INWARD = {"MagiclinkError", "Conflict", "Gone", "ProviderFailure", "BadSettings"}  # never answered as they are


def tree(kind: type[MagiclinkError] = MagiclinkError) -> Iterator[type[MagiclinkError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


OUTWARD = [kind for kind in tree() if kind.__name__ not in INWARD and kind.__module__ == errors.__name__]


def test_every_error_has_a_promised_code_under_its_promised_status() -> None:
    assert {kind.__name__ for kind in OUTWARD if kind.code not in PROMISED.get(kind.status, set())} == set()


def test_every_promised_code_is_somebodys() -> None:
    assert {code for codes in PROMISED.values() for code in codes} - {kind.code for kind in OUTWARD} == set()


def test_a_code_belongs_to_one_family_only() -> None:
    owners = {
        kind for kind in OUTWARD if not any(kind.code == parent.code for parent in kind.__bases__ if parent in OUTWARD)
    }
    codes = [kind.code for kind in owners]
    assert len(codes) == len(set(codes))


def test_what_ends_the_start_has_a_code_of_its_own() -> None:
    assert errors.BadSettings("no").code == "bad_settings"


@pytest.mark.parametrize("kind", OUTWARD)
def test_every_error_says_what_a_person_can_act_on(kind: type[MagiclinkError]) -> None:
    said = kind().detail
    assert re.fullmatch(r"[A-Z].{9,}[^.]", said), said
    assert str(kind()) == said


def test_an_error_may_have_a_more_exact_message() -> None:
    assert errors.NotFound("This link is not known here").detail == "This link is not known here"


def test_an_invalid_request_names_every_field() -> None:
    error = InvalidRequest([Problem("/userId", "is needed"), Problem("", "is no object")])
    assert error.detail == "/userId: is needed; /: is no object"
    assert len(error.problems) == 2


def test_an_invalid_request_without_fields_says_its_title() -> None:
    assert InvalidRequest().detail == InvalidRequest.title
    assert InvalidRequest(detail="not now").detail == "not now"


def test_an_invalid_requests_sentence_stays_short() -> None:
    error = InvalidRequest([Problem(f"/{n}", "is odd") for n in range(50)])
    assert len(error.problems) == 20
    assert error.detail.count("is odd") == 5
    assert len(InvalidRequest([Problem("/" + "x" * 9000, "is odd")]).detail) < 300


def test_who_calls_too_often_gets_retry_after() -> None:
    assert RateLimited().retry_after_seconds == 1
    assert RateLimited(7).retry_after_seconds == 7


def test_a_timeout_may_have_been_acted_upon_and_a_refusal_was_not() -> None:
    assert ProviderTimeout().lost
    assert not errors.ProviderRefused().lost
    assert ProviderBroken(lost=True).lost
    assert not ProviderBroken().lost
