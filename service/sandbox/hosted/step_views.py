"""From a visit to the page that it sees: the typed context of each step, filled from the world."""

from collections.abc import Callable, Mapping

from service.sandbox.hosted.flows import Visit
from service.sandbox.hosted.steps import (
    TITLES,
    Choice,
    CredentialsView,
    DoneView,
    EmailView,
    MfaView,
    ProviderView,
    SettingsView,
    Step,
    marks,
)
from service.sandbox.wire.enums import CONNECTED, SAMPLE_TYPES
from service.sandbox.wire.html import Frame
from service.sandbox.world.connections import PROVIDER_NAME, Connection, is_sandbox_url
from service.sandbox.world.world import World

STATUS_TEXTS = {
    "URL_INACCESSIBLE": "its website cannot be reached.",
    "MFA_TOKEN_EXPIRED": "it asks for a new code.",
    "WEBSITE_DOWN": "its website is down.",
}
Errors = Mapping[str, str]


def view_of(world: World, visit: Visit, step: str, errors: Errors) -> Step:
    """Return the context of that step's page, what was entered kept (but never a password)."""
    frame = Frame(
        title=TITLES[step],
        step=step,
        company=world.company(visit.opening.company_id).name,
        action=visit.action,
        flow=visit.flow.id,
        marks=marks(_names(visit), step),
        errors=errors,
    )
    return _BUILDERS[step](world, visit, frame)


def _names(visit: Visit) -> tuple[str, ...]:
    names = (
        ("email", visit.opening.needs_email),
        ("provider", not visit.is_edit),
        ("credentials", True),
        ("mfa", visit.flow.wants_code),
        ("settings", True),
        ("done", True),
    )
    return tuple(name for name, is_due in names if is_due)


def _provider(_: World, visit: Visit, frame: Frame) -> ProviderView:
    return ProviderView(
        frame,
        visit.entered("url") if frame.errors else visit.flow.url,
        visit.entered("country") if frame.errors else visit.flow.country,
    )


def _email(_: World, visit: Visit, frame: Frame) -> EmailView:
    return EmailView(frame, visit.entered("email"))


def _credentials(_: World, visit: Visit, frame: Frame) -> CredentialsView:
    flow = visit.flow
    return CredentialsView(
        frame=frame,
        provider_name=_provider_name(flow.url),
        url=flow.url,
        country=flow.country,
        username=visit.entered("username") or flow.username,
        editing=visit.is_edit,
        can_change=not visit.is_edit,
        can_keep=visit.is_edit,
    )


def _mfa(_: World, visit: Visit, frame: Frame) -> MfaView:
    return MfaView(frame, _provider_name(visit.flow.url))


def _settings(world: World, visit: Visit, frame: Frame) -> SettingsView:
    entered = frame.errors and visit.entered("step") == "settings"
    wanted = _entered(visit) if entered else _wanted(world, visit)
    sites = world.sites_of(visit.opening.company_id)
    only = len(sites) == 1 and not entered
    return SettingsView(
        frame=frame,
        sites=tuple(Choice(each.id, each.name, each.address, only or each.id in wanted["sites"]) for each in sites),
        types=tuple(Choice(kind, kind.capitalize(), "", kind in wanted["types"]) for kind in SAMPLE_TYPES),
        start_date="".join(wanted["startDate"]),
        owner_email="".join(wanted["ownerEmail"]),
        editing=visit.is_edit,
    )


def _entered(visit: Visit) -> dict[str, tuple[str, ...]]:
    return {name: tuple(visit.form.get(name, ())) for name in ("sites", "types", "startDate", "ownerEmail")}


def _wanted(world: World, visit: Visit) -> dict[str, tuple[str, ...]]:
    """Return what the boxes show first: what the connection has, else what the link brings, else every type."""
    prefill = visit.opening.prefill
    if visit.flow.connection_id is None:
        had = {}
    else:
        made = world.connection(visit.flow.connection_id)
        had = {
            "sites": made.sites,
            "initialDatasourceTypes": made.types,
            "dataCollectionStartDate": made.start_date,
            "workflowOwnerEmail": made.owner_email,
        }
    best = {name: had.get(name) or prefill.get(name) for name in {*had, *prefill}}
    return {
        "sites": tuple(best.get("sites") or ()),
        "types": tuple(best.get("initialDatasourceTypes") or SAMPLE_TYPES),
        "startDate": (best.get("dataCollectionStartDate") or "",),
        "ownerEmail": (best.get("workflowOwnerEmail") or "",),
    }


def _done(world: World, visit: Visit, frame: Frame) -> DoneView:
    made = world.connection(visit.flow.connection_id or "")
    works = made.status == CONNECTED
    return DoneView(
        frame=frame,
        provider_name=made.provider_name,
        site_names=tuple(world.site(site_id).name for site_id in made.sites),
        status=made.status,
        status_text=STATUS_TEXTS.get(made.status, "it will be looked at."),
        works=works,
        editing=visit.is_edit,
        onward=_onward(visit, made),
    )


def _onward(visit: Visit, made: Connection) -> str:
    """Return where the dashboard's own flow goes on to; the hosted pages end here, as the provider's do."""
    return f"/dashboard/connections/{made.id}" if visit.opening.door == "dashboard" else ""


def _provider_name(url: str) -> str:
    return PROVIDER_NAME if is_sandbox_url(url) else "Your provider"


_BUILDERS: dict[str, Callable[[World, Visit, Frame], Step]] = {
    "provider": _provider,
    "email": _email,
    "credentials": _credentials,
    "mfa": _mfa,
    "settings": _settings,
    "done": _done,
}
