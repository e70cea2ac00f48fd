"""The words for a connection's status as JSON of the API: the table of `service.domain.status_words`, for hosts."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

# Before Python 3.12 pydantic cannot read `typing.TypedDict`.
from typing_extensions import TypedDict

from service.domain.status_words import StepPlace, Turn, words_for
from service.domain.statuses import ConnectionState

TurnWord = Annotated[Turn, WithJsonSchema({"enum": [one.value for one in Turn]})]
PlaceWord = Annotated[
    StepPlace | None, WithJsonSchema({"anyOf": [{"enum": [one.value for one in StepPlace]}, {"type": "null"}]})
]


class StepJson(TypedDict):
    """One thing that helps."""

    text: Annotated[str, Field(description="A sentence or two for the end user.")]
    place: Annotated[
        PlaceWord,
        Field(
            description="Where it is done: on the provider's page, to which a reconnect leads; at the utility's own "
            "website; with you, where you take bills; with your support. Null: nowhere."
        ),
    ]


class WordsJson(TypedDict):
    """The words for a connection's status, which you may show to the end user; in English."""

    label: Annotated[str, Field(description="Two or three words.")]
    title: str
    sentence: str
    steps: Annotated[list[StepJson], Field(description="What helps, in the order in which to try it.")]
    turn: Annotated[TurnWord, Field(description="Who can bring it forward.")]


def words_json(status: str, state: ConnectionState) -> WordsJson:
    """The words for a status of the provider, on a connection in this state."""
    words = words_for(status, state)
    return {
        "label": words.label,
        "title": words.title,
        "sentence": words.sentence,
        "steps": [{"text": step.text, "place": step.place} for step in words.steps],
        "turn": words.turn,
    }
