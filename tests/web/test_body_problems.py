"""What a refused body is answered: a place that is in it, and words that need no knowledge of our program."""

from collections.abc import Iterator
from typing import Any

import pytest

from service.errors import InvalidRequest
from service.web.api.bodies import ClaimConnection, CreateSession
from service.web.api.endpoint_bodies import ChangeEndpoint, CreateEndpoint, ReplaySince
from service.web.docs.schemas import BODIES, component_schemas
from service.web.request_body import PATTERN_WORDS, parse

SESSION: dict[str, Any] = {
    "userId": "ada",
    "company": {"externalId": "acme", "name": "Acme Ltd"},
    "sites": [{"externalId": "hq", "name": "Headquarters"}],
}
API_BODIES = [CreateSession, ClaimConnection, CreateEndpoint, ChangeEndpoint, ReplaySince]


def refusals(shape: type[Any], body: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse(shape, body)
    return {one.pointer: one.detail for one in caught.value.problems}


def refusal_of(**fields: Any) -> dict[str, str]:
    return refusals(CreateSession, SESSION | fields)


def patterns(schema: Any) -> Iterator[str]:
    """Every pattern in a schema, at any depth."""
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for part in schema.values():
            yield from patterns(part)


@pytest.mark.parametrize("shape", BODIES)
def test_a_body_that_is_no_object_is_said_to_be_none(shape: type[Any]) -> None:
    bodies: tuple[Any, ...] = ([], None, "text", 7, True)
    for body in bodies:
        assert refusals(shape, body) == {"": "must be a JSON object"}


def test_the_name_of_an_entry_is_refused_at_the_entry() -> None:
    assert refusal_of(metadata={"": "x"}) == {"/metadata/": "its name: string should have at least 1 character"}
    long = "k" * 41
    assert refusal_of(metadata={long: "x"}) == {
        f"/metadata/{long}": "its name: string should have at most 40 characters"
    }
    assert refusal_of(metadata={"[key]": 1}) == {"/metadata/[key]": "input should be a valid string"}


def test_lists_and_objects_are_named_as_json_names_them() -> None:
    assert refusal_of(sites=[]) == {"/sites": "must have at least 1 item"}
    assert refusal_of(sites=SESSION["sites"] * 101) == {"/sites": "must have at most 100 items"}
    assert refusal_of(sites={}) == {"/sites": "must be a JSON array"}
    assert refusal_of(metadata=[]) == {"/metadata": "must be a JSON object"}
    assert refusal_of(company="acme") == {"/company": "must be a JSON object"}
    assert refusal_of(metadata={str(i): "x" for i in range(21)}) == {"/metadata": "must have at most 20 items"}


def test_what_a_field_must_look_like_is_said_in_words() -> None:
    no_controls = "must not have line breaks or other control characters"
    assert refusal_of(userId="a\nb") == {"/userId": no_controls}
    assert refusal_of(locale="fr_CA") == {"/locale": "must be a language tag such as fr or fr-CA"}
    assert refusal_of(prefill={"country": "us"}) == {"/prefill/country": "must be two capital letters, such as US"}
    assert refusal_of(company={"id": "acme"}) == {"/company/id": "must be a UUID, as the provider gives them"}
    assert refusals(ClaimConnection, {"sessionId": "x"}) == {
        "/sessionId": "must be the id of a session: ses_ and what follows it"
    }


def test_every_pattern_of_the_api_has_its_words() -> None:
    names = {"Company", "Site", "Prefill", "Theme", "HelpUrls", *(shape.__name__ for shape in API_BODIES)}
    schemas = component_schemas()
    found = {pattern for name in names for pattern in patterns(schemas[name])}
    assert len(found) >= 6
    for pattern in found:
        assert pattern in PATTERN_WORDS, f"{pattern} needs a sentence in service/web/request_body.py"
