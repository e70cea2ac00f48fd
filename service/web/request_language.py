"""The language of a page, and of what its script receives."""

from functools import lru_cache

from starlette.requests import Request

from service.domain.languages import accepted_languages, best_language
from service.domain.model import Session
from service.errors import InvalidRequest
from service.web.languages import Language, languages
from service.web.parameters import query_fields

# No browser sends a longer header: the rest is neither read nor cached.
_MOST_CHARACTERS = 500


def page_language(request: Request, session: Session | None = None) -> Language:
    """The language of the host's element, else of the session, else of the browser, else English."""
    given = session.locale if session is not None else ""
    return _chosen(_asked_by_element(request)[:_MOST_CHARACTERS], given, _accepted(request))


def script_language(request: Request) -> Language:
    """The language of the page whose script calls; the script sends only that one in Accept-Language."""
    return _chosen("", "", _accepted(request))


@lru_cache(maxsize=512)
def _chosen(element: str, session: str, accepted: str) -> Language:
    known = languages()
    return known[best_language((element, session, *accepted_languages(accepted)), known)]


def _accepted(request: Request) -> str:
    return request.headers.get("accept-language", "")[:_MOST_CHARACTERS]


def _asked_by_element(request: Request) -> str:
    if not request.scope["query_string"]:
        return ""
    try:
        return dict(query_fields(request)).get("locale", "")
    except InvalidRequest:  # the page may be the one that says so
        return ""
