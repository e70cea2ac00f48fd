"""The exception tree of the service. `code` is API: documented, and never reused for another error.

MagiclinkError
├── InvalidJson 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
├── Conflict 409: SessionClosed, AlreadyClaimed, IdempotencyInProgress, AlreadyOpen, TakenOver
├── Gone 410: Expired, Revoked
├── TooLarge 413 · UnsupportedMediaType 415 · InvalidRequest 422 · IdempotencyKeyReused 422 · RateLimited 429
├── Unavailable 503 (this service's database is unavailable, full or read-only): LeaseLost
├── ProviderFailure
│   ├── ProviderRefused 422: ProviderNotFound
│   ├── ProviderBroken 502: ProviderUnreachable, ProviderUnauthorized, ProviderBusy, GivenUp,
│   │   ForeignLink: RepeatedLink
│   └── ProviderTimeout 504
├── BadState 400 (a state or result not signed here, or for another purpose, user or page): ResultOfAnotherUser
├── BadWebhook: BadSignature 401, BadBody 400
└── BadSettings (the process does not start)

`detail` is shown to strangers: it says what to do, and never contains a secret, an internal address or a stack trace.
The reference page shows integrators the docstring of the first class of each code.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class MagiclinkError(Exception):
    """An error with a code that clients may rely on, and a sentence that a person can act on."""

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
    """The request has no API key, or an unknown one."""

    code, status, title = "unauthorized", 401, "A valid API key is needed: Authorization: Bearer <key>"


class Forbidden(MagiclinkError):
    """A page's form came from another site, or the provider's company belongs to another tenant."""

    code, status, title = "forbidden", 403, "This is not allowed"


class NotFound(MagiclinkError):
    """Nothing has this id, or it belongs to another tenant: the answer is the same for both."""

    code, status, title = "not_found", 404, "There is nothing here by that id"


class MethodNotAllowed(MagiclinkError):
    """The path exists, but not with this method."""

    code, status, title = "method_not_allowed", 405, "This method is not allowed here"


class Conflict(MagiclinkError):
    """The request is valid, but not in the current state of what it is about."""

    status = 409


class SessionClosed(Conflict):
    """The session no longer allows this, for example because it failed; `failure` is then the code of the cause."""

    code, title = "session_closed", "This session is closed; create a new one"
    failure: str | None = None


class AlreadyClaimed(Conflict):
    """The connection is already attributed to a session."""

    code, title = "already_claimed", "This connection is already attributed"


class IdempotencyInProgress(Conflict):
    """The first call with this Idempotency-Key has not answered yet."""

    code, title = "idempotency_in_progress", "The first request with this Idempotency-Key is still in progress; retry"


class AlreadyOpen(Conflict):
    """Another page of the session was started before; the user must confirm taking over."""

    code, title = "already_open", "This link was opened in another window"


class TakenOver(Conflict):
    """Another page of the session took over, so this page's key is no longer valid."""

    code, title = "taken_over", "This was continued in another window"


class Gone(MagiclinkError):
    """The session existed, and its URL no longer works."""

    status = 410


class Expired(Gone):
    """The session has expired."""

    code, title = "expired", "This link has expired"


class Revoked(Gone):
    """The host revoked the session."""

    code, title = "revoked", "This link was withdrawn"


class TooLarge(MagiclinkError):
    """The body is over 256 KiB; over 4 KiB or 50 form fields from a page, over 4 MiB from the provider."""

    code, status, title = "too_large", 413, "The body is too large"


class UnsupportedMediaType(MagiclinkError):
    """The body has a content type or a content encoding that the route does not read."""

    code, status, title = "unsupported_media_type", 415, "Send application/json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One invalid field: a JSON pointer (RFC 6901), and what is wrong with the field."""

    pointer: str
    detail: str


MAX_PROBLEMS = 20
_MAX_POINTER = 200


class InvalidRequest(MagiclinkError):
    """The body or the query has invalid fields; the first 20 are named, each with a JSON pointer."""

    code, status, title = "invalid_request", 422, "The request has invalid fields"

    def __init__(self, problems: Sequence[Problem] = (), detail: str | None = None) -> None:
        # A body of a thousand invalid fields, or with a name of 100 KB, must not make an answer larger than itself.
        self.problems = tuple(Problem(one.pointer[:_MAX_POINTER], one.detail) for one in problems[:MAX_PROBLEMS])
        super().__init__(detail or "; ".join(f"{p.pointer or '/'}: {p.detail}" for p in self.problems[:5]) or None)


class IdempotencyKeyReused(MagiclinkError):
    """The Idempotency-Key was used before, with another body."""

    code, status, title = "idempotency_key_reused", 422, "This Idempotency-Key was used with another body"


class RateLimited(MagiclinkError):
    """Too many requests; `Retry-After` says in how many seconds to try again."""

    code, status, title = "rate_limited", 429, "Too many requests; slow down"

    def __init__(self, retry_after_seconds: int = 1, detail: str | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(detail)


class Unavailable(MagiclinkError):
    """The database is unavailable, or too many requests are in progress; nothing was written in part."""

    code, status, title = "unavailable", 503, "The service cannot take the request right now; retry shortly"


class LeaseLost(Unavailable):
    """The lease of a job ended before the job's result was written; another worker may have the job."""

    title = "The lease of this job ended before its result was written; the job is repeated"


class ProviderFailure(MagiclinkError):
    """A call to the provider failed.

    `lost`: no answer came, so a creating call may have succeeded. `after_seconds`: how long the provider asked to wait
    before the next call, if it did.
    """

    # Set on the instance by the adapter, which knows whether the call creates and whether it was received.
    lost = False
    after_seconds: float | None = None


class ProviderRefused(ProviderFailure):
    """The provider rejected the request; sending it again will not help."""

    code, status, title = "provider_refused", 422, "The provider refused the request"


class ProviderNotFound(ProviderRefused):
    """The provider does not know the id, or serves neither generation of the path."""


class ProviderBroken(ProviderFailure):
    """The provider failed, or its answer does not follow its API."""

    code, status, title = "provider_error", 502, "The provider failed; retry later"

    def __init__(self, detail: str | None = None, *, lost: bool = False) -> None:
        self.lost = lost
        super().__init__(detail)


class ProviderUnreachable(ProviderBroken):
    """No connection could be opened: the provider has certainly not received the call."""


class ProviderUnauthorized(ProviderBroken):
    """The provider does not accept this service's API key: the operator must act."""


class ProviderBusy(ProviderBroken):
    """The provider answered 429 until the retries were used up, or too many calls were waiting here."""


class ForeignLink(ProviderBroken):
    """The provider's link cannot be read, or is not on MAGICLINK_PROVIDER_PAGES_URL: the operator must act.

    It is permanent: every further call would create another link to throw away. `invitation_id` is the one created now,
    None with `lost` where the answer named none; `failure_code` is what the session's `failure` and its page say.
    """

    failure_code = "link_refused"
    title = "The provider answered with a link that is not on its configured pages; see magiclink doctor"

    def __init__(self, invitation_id: str | None = None, *, lost: bool = False) -> None:
        self.invitation_id = invitation_id
        super().__init__(lost=lost)


class RepeatedLink(ForeignLink):
    """The provider answered with an invitation that it gave before; it may be another session's."""

    title = "The provider answered with an invitation that it gave before"


class GivenUp(ProviderBroken):
    """The answer of a creating call came after ANSWER_SECONDS, when the call counted as lost.

    Nothing is written, and what the call created is revoked.
    """


class ProviderTimeout(ProviderFailure):
    """The provider did not answer before the deadline; it may have received the call."""

    code, status, title = "provider_timeout", 504, "The provider did not answer in time; retry later"
    lost = True  # the safe assumption: the lists are then searched before the call is repeated


class BadState(MagiclinkError):
    """A state or result that does not verify: changed, not signed here, of another purpose or user, or too old."""

    code, status, title = "bad_state", 400, "This return link is not valid"


class ResultOfAnotherUser(BadState):
    """A result that was signed here for the caller's tenant, and is presented for another than its user."""

    def __init__(self, session_id: str = "") -> None:
        self.session_id = session_id
        super().__init__("This result was made for another user")


# The only class that verifying and parsing a webhook raise, whatever the bytes are.
class BadWebhook(MagiclinkError):
    """The webhook is not the provider's."""

    status = 400
    code, title = "bad_webhook", "This is not a webhook of the provider"


class BadSignature(BadWebhook):
    """The webhook's signature, its headers or its timestamp do not verify."""

    status = 401


class BadBody(BadWebhook):
    """The webhook is signed, but its body is not an event."""


class BadSettings(MagiclinkError):
    """The environment is not usable; the message names every wrong variable, and no value."""

    code = "bad_settings"
