"""The JSON of a user's export, as types: mypy holds the code to them, and OpenAPI is generated from them."""

from typing import Annotated, Any

from pydantic import Field

# Before Python 3.12 pydantic cannot read `typing.TypedDict`.
from typing_extensions import TypedDict

from service.domain.model import UserId
from service.web.api.answers import ConnectionJson, EventJson, SessionConnectionJson, SessionJson, Time, Uri


class ExportedSessionJson(SessionJson):
    """A session with everything that you gave for its user. Its link is left out: anyone who has it can use it."""

    userLabel: Annotated[str | None, Field(description="What the page calls the user.")]
    userEmail: Annotated[str | None, Field(description="Whom the invitation is limited to.")]
    supportUrl: Annotated[str | None, Field(description="Your address for help: https or mailto.")]
    helpUrls: Annotated[dict[str, str], Field(description="Your pages of help.")]
    locale: Annotated[str, Field(description="The language that you gave; `en` if you gave none.")]
    prefill: Annotated[dict[str, Any], Field(description="What the provider's form is filled with.")]


class StoredAnswerJson(TypedDict):
    """An answer that is kept for a day for calls with the same `Idempotency-Key`."""

    route: Annotated[str, Field(description="The call's path.")]
    idempotencyKey: Annotated[str, Field(description="Yours.")]
    createdAt: Annotated[Time, Field(description="UTC.")]
    answer: Annotated[dict[str, Any], Field(description="Without URLs.")]


class UserExportJson(TypedDict):
    """Everything that is stored about one user; erasing the user erases it, or leaves it without the user's id."""

    userId: Annotated[UserId, Field(description="Yours.")]
    createdAt: Annotated[Time, Field(description="When the first session of this user was created.")]
    sessions: Annotated[list[ExportedSessionJson], Field(description="Oldest first.")]
    connections: Annotated[
        list[ConnectionJson],
        Field(description="The user's, and those without owner that a session of this user could have made."),
    ]
    events: Annotated[list[EventJson], Field(description="The timelines of these sessions. Other users are left out.")]
    storedAnswers: Annotated[list[StoredAnswerJson], Field(description="Those about this user.")]


class UserStatusJson(TypedDict):
    """What a user's connections are now, and the address of the page that shows it to the user."""

    userId: Annotated[UserId, Field(description="Yours.")]
    needsAttention: Annotated[bool, Field(description="Whether a connection does.")]
    connections: Annotated[
        list[SessionConnectionJson],
        Field(description="The newest 100 of the user, newest first, without those that the provider removed."),
    ]
    statusUrl: Annotated[
        Uri | None,
        Field(description="For `<magic-link-status>` on a page of `origin`, for ten minutes; null without `origin`."),
    ]
    expiresAt: Annotated[Time | None, Field(description="When `statusUrl` ends.")]


ANSWERS = (UserExportJson, UserStatusJson)
