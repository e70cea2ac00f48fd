"""The session of a request, noted once a signed token or state has led to it: its error page looks like its pages."""

from starlette.requests import Request

from service.domain.model import Session


def note_session(request: Request, session: Session) -> None:
    """Note the session. A caller who has only guessed its id must learn nothing of it, so the signature comes first."""
    request.state.session = session


def noted_session(request: Request) -> Session | None:
    """Return the session that was noted, if one was."""
    return getattr(request.state, "session", None)
