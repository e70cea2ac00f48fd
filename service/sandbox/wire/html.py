"""HTML answers: the templates, the context that all of them share, and the security headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

SANDBOX = Path(__file__).parents[1]
ASSETS = SANDBOX / "static"
TEMPLATES = (SANDBOX.parent / "templates", SANDBOX.parents[1] / "templates")
"""In an installed package, and in a checkout."""

# No script at all: the pages work without, and nothing that a user enters can run.
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'"


class SandboxView(Protocol):
    """A template's typed context: a dataclass whose fields are the names that the template uses."""

    template: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def frame(self) -> "SandboxFrame": ...


@dataclass(frozen=True)
class ProgressMark:
    """One entry of the progress list; `state` is past, now or next."""

    name: str
    state: str


@dataclass(frozen=True)
class SandboxFrame:
    """The context that every page has: its title, and for a step its form's address, flow id and errors by field."""

    title: str
    step: str = ""
    company: str = ""
    action: str = ""
    flow: str = ""
    marks: tuple[ProgressMark, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SandboxErrorView:
    """A page that says why there is nothing to do here."""

    template: ClassVar[str] = "sandbox/error.html"
    frame: SandboxFrame
    text: str
    advice: str


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the template environment: everything is escaped, an unknown name is an error."""
    # StrictUndefined, so that a typing error in a template fails a test and is not an empty page.
    loader = FileSystemLoader([str(folder) for folder in TEMPLATES])
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def page(view: SandboxView, status: int = 200, *, frameable: bool, form_targets: tuple[str, ...] = ()) -> HTMLResponse:
    """Render a page; `form_targets` are the origins, besides its own, that its forms may lead to."""
    context = {each.name: getattr(view, each.name) for each in fields(view)}
    return HTMLResponse(
        environment().get_template(view.template).render(context),
        status,
        headers=_headers(frameable=frameable, form_targets=form_targets),
    )


def _headers(*, frameable: bool, form_targets: tuple[str, ...]) -> dict[str, str]:
    policy = f"{POLICY}; form-action {' '.join((chr(39) + 'self' + chr(39), *form_targets))}"
    # The address has a link's secret, so no cache may store it and no other site may receive it.
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
    }
    # The second header is for browsers that do not know `frame-ancestors`.
    if not frameable:
        headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
        headers["X-Frame-Options"] = "DENY"
    return headers
