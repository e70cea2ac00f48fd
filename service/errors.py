"""Every error the service knows, drawn first; `code` is API, documented and never reused.

MagiclinkError
├── InvalidJson 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
├── Conflict 409: SessionClosed, AlreadyClaimed, IdempotencyInProgress, AlreadyOpen, TakenOver
├── Gone 410: Expired, Revoked
├── TooLarge 413 · UnsupportedMediaType 415 · InvalidRequest 422 · IdempotencyKeyReused 422 · RateLimited 429
├── Unavailable 503 (our database is away, full or read-only)
├── ProviderFailure: ProviderRefused 422 · ProviderBroken 502 · ProviderTimeout 504
├── BadState 400 (a state or token nobody here signed, or signed for another purpose, user or page)
├── BadWebhook (BadSignature 401, BadBody 400)
└── BadSettings (stops the start)

Messages are for strangers: they name what to do, never a secret, an address of ours or a stack.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class MagiclinkError(Exception):
    """An error with a code that clients may rely on and a sentence a person can act on."""

    code = "internal_error"
    status = 500
    title = "Something went wrong"

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.title
        super().__init__(self.detail)


class InvalidJson(MagiclinkError):
    """The body is not JSON."""

    code, status, title = "invalid_json", 400, "The body is not valid JSON"


class Unauthorized(MagiclinkError):
    """No key, or one that we do not know."""

    code, status, title = "unauthorized", 401, "A valid API key is needed: Authorization: Bearer <key>"


class Forbidden(MagiclinkError):
    """We know who asks, and the answer is no."""

    code, status, title = "forbidden", 403, "This is not allowed"


class NotFound(MagiclinkError):
    """Nothing here by that id, or it belongs to another tenant."""

    code, status, title = "not_found", 404, "There is nothing here by that id"


class MethodNotAllowed(MagiclinkError):
    """The path exists, the method does not."""

    code, status, title = "method_not_allowed", 405, "This method is not allowed here"


class Conflict(MagiclinkError):
    """The request is well formed but the state of things refuses it."""

    status = 409


class SessionClosed(Conflict):
    """The session is expired, revoked or failed."""

    code, title = "session_closed", "This session is closed; create a new one"


class AlreadyClaimed(Conflict):
    """The connection already belongs to somebody."""

    code, title = "already_claimed", "This connection is already attributed"


class IdempotencyInProgress(Conflict):
    """The first call with this Idempotency-Key has not answered yet."""

    code, title = "idempotency_in_progress", "The first request with this Idempotency-Key is still in progress; retry"


class AlreadyOpen(Conflict):
    """Another page of the session is open; the person must confirm taking over."""

    code, title = "already_open", "This link is open in another window"


class TakenOver(Conflict):
    """The page's key was replaced by another page of the same session."""

    code, title = "taken_over", "This was continued in another window"


class Gone(MagiclinkError):
    """The link existed and does not work any more."""

    status = 410


class Expired(Gone):
    """The session's time is over."""

    code, title = "expired", "This link has expired"


class Revoked(Gone):
    """The host app ended the session."""

    code, title = "revoked", "This link was withdrawn"


class TooLarge(MagiclinkError):
    """The body is over 256 KiB."""

    code, status, title = "too_large", 413, "The body is larger than 256 KiB"


class UnsupportedMediaType(MagiclinkError):
    """The body is not of a type that the route reads."""

    code, status, title = "unsupported_media_type", 415, "Send application/json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong field: an RFC 6901 pointer and what is wrong with it."""

    pointer: str
    detail: str


class InvalidRequest(MagiclinkError):
    """The body or the query is JSON but not what the route takes; `problems` names every field."""

    code, status, title = "invalid_request", 422, "The request has invalid fields"

    def __init__(self, problems: Sequence[Problem] = (), detail: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__(detail or "; ".join(f"{p.pointer or '/'}: {p.detail}" for p in self.problems[:5]) or None)


class IdempotencyKeyReused(MagiclinkError):
    """The Idempotency-Key came before with another body."""

    code, status, title = "idempotency_key_reused", 422, "This Idempotency-Key was used with another body"


class RateLimited(MagiclinkError):
    """Too many requests; try again after `retry_after_seconds`."""

    code, status, title = "rate_limited", 429, "Too many requests; slow down"

    def __init__(self, retry_after_seconds: int = 1) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__()


class Unavailable(MagiclinkError):
    """Our database did not take the work; nothing was half done."""

    code, status, title = "unavailable", 503, "The service cannot store data right now; retry shortly"


class ProviderFailure(MagiclinkError):
    """The provider did not do what we asked; `lost` says that it may have done it all the same.

    `after_seconds` is when it said to come back, if it said so.
    """

    lost = False
    after_seconds: float | None = None


class ProviderRefused(ProviderFailure):
    """The provider understood and said no; repeating the same call will not help."""

    code, status, title = "provider_refused", 422, "The provider refused the request"


class ProviderNotFound(ProviderRefused):
    """The provider does not know the id (or the path generation)."""


class ProviderBroken(ProviderFailure):
    """The provider failed, or answered something that is not its contract."""

    code, status, title = "provider_error", 502, "The provider failed; retry later"

    def __init__(self, detail: str | None = None, *, lost: bool = False) -> None:
        self.lost = lost
        super().__init__(detail)


class ProviderUnreachable(ProviderBroken):
    """No connection could be made: the call was certainly not received."""


class ProviderUnauthorized(ProviderBroken):
    """The provider does not accept our key: the operator must act."""


class ProviderBusy(ProviderBroken):
    """The provider said 429 for longer than our budget of retries."""


class ForeignLink(ProviderBroken):
    """The provider gave a link of another origin than MAGICLINK_PROVIDER_PAGES_URL: the operator must act.

    It is permanent: every further call would create another link to throw away. `invitation_id` is the one created now;
    `failure_code` is what the session's `failure` and its page say.
    """

    failure_code = "link_refused"
    title = "The provider answered with a link that is not on its configured pages; see magiclink doctor"

    def __init__(self, invitation_id: str | None = None) -> None:
        self.invitation_id = invitation_id
        super().__init__()


class GivenUp(ProviderBroken):
    """We came back to a call so late that it had been given up for lost; what it made is nobody's."""


class ProviderTimeout(ProviderFailure):
    """The provider did not answer before the deadline; it may have acted."""

    code, status, title = "provider_timeout", 504, "The provider did not answer in time; retry later"
    lost = True


class BadState(MagiclinkError):
    """A state or result that does not verify: mutated, foreign, of another purpose, user or page, or too old."""

    code, status, title = "bad_state", 400, "This return link is not valid"


class BadWebhook(MagiclinkError):
    """A webhook that is not the provider's; the only class that reading one raises."""

    status = 400
    code, title = "bad_webhook", "This is not a webhook of the provider"


class BadSignature(BadWebhook):
    """The signature, its headers or its time do not verify."""

    status = 401


class BadBody(BadWebhook):
    """Signed, but not an event."""


class BadSettings(MagiclinkError):
    """The environment is not usable; the message names every wrong variable and no value."""

    code = "bad_settings"
