"""From a visit to the page that it sees: the typed context of each step, filled from the world."""

from collections.abc import Callable, Mapping

from service.sandbox.hosted.flows import FlowRequest
from service.sandbox.hosted.steps import (
    TITLES,
    CheckBox,
    CredentialsStep,
    DoneStep,
    EmailStep,
    MfaStep,
    ProviderStep,
    SettingsStep,
    Step,
    marks,
)
from service.sandbox.wire.enums import CONNECTED, SAMPLE_TYPES
from service.sandbox.wire.html import SandboxFrame
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import PROVIDER_NAME, is_sandbox_url
from service.sandbox.world.world import SandboxWorld

STATUS_TEXTS = {
    "URL_INACCESSIBLE": "its website cannot be reached.",
    "MFA_TOKEN_EXPIRED": "it asks for a new code.",
    "WEBSITE_DOWN": "its website is down.",
}
Errors = Mapping[str, str]


def view_of(world: SandboxWorld, visit: FlowRequest, step: str, errors: Errors) -> Step:
    """Return the context of that step's page, what was entered kept (but never a password)."""
    frame = SandboxFrame(
        title=TITLES[step],
        step=step,
        company=world.companies.get(visit.opening.company_id).name,
        action=visit.action,
        flow=visit.flow.id,
        marks=marks(_names(visit), step),
        errors=errors,
    )
    return _BUILDERS[step](world, visit, frame)


def _names(visit: FlowRequest) -> tuple[str, ...]:
    names = (
        ("email", visit.opening.needs_email),
        ("provider", not visit.is_edit),
        ("credentials", True),
        ("mfa", visit.flow.wants_code),
        ("settings", True),
        ("done", True),
    )
    return tuple(name for name, is_due in names if is_due)


def _provider(_: SandboxWorld, visit: FlowRequest, frame: SandboxFrame) -> ProviderStep:
    return ProviderStep(
        frame,
        visit.entered("url") if frame.errors else visit.flow.url,
        visit.entered("country") if frame.errors else visit.flow.country,
    )


def _email(_: SandboxWorld, visit: FlowRequest, frame: SandboxFrame) -> EmailStep:
    return EmailStep(frame, visit.entered("email"))


def _credentials(_: SandboxWorld, visit: FlowRequest, frame: SandboxFrame) -> CredentialsStep:
    flow = visit.flow
    return CredentialsStep(
        frame=frame,
        provider_name=_provider_name(flow.url),
        url=flow.url,
        country=flow.country,
        username=visit.entered("username") or flow.username,
        editing=visit.is_edit,
        can_change=not visit.is_edit,
        can_keep=visit.is_edit,
    )


def _mfa(_: SandboxWorld, visit: FlowRequest, frame: SandboxFrame) -> MfaStep:
    return MfaStep(frame, _provider_name(visit.flow.url))


def _settings(world: SandboxWorld, visit: FlowRequest, frame: SandboxFrame) -> SettingsStep:
    entered = frame.errors and visit.entered("step") == "settings"
    wanted = _entered(visit) if entered else _wanted(world, visit)
    sites = world.companies.sites_of(visit.opening.company_id)
    only = len(sites) == 1 and not entered
    return SettingsStep(
        frame=frame,
        sites=tuple(CheckBox(each.id, each.name, each.address, only or each.id in wanted["sites"]) for each in sites),
        types=tuple(CheckBox(kind, kind.capitalize(), "", kind in wanted["types"]) for kind in SAMPLE_TYPES),
        start_date="".join(wanted["startDate"]),
        owner_email="".join(wanted["ownerEmail"]),
        editing=visit.is_edit,
    )


def _entered(visit: FlowRequest) -> dict[str, tuple[str, ...]]:
    return {name: tuple(visit.form.get(name, ())) for name in ("sites", "types", "startDate", "ownerEmail")}


def _wanted(world: SandboxWorld, visit: FlowRequest) -> dict[str, tuple[str, ...]]:
    """Return what the boxes show first: what the connection has, else what the link brings, else every type."""
    prefill = visit.opening.prefill
    if visit.flow.connection_id is None:
        had = {}
    else:
        made = world.connections.get(visit.flow.connection_id)
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


def _done(world: SandboxWorld, visit: FlowRequest, frame: SandboxFrame) -> DoneStep:
    made = world.connections.get(visit.flow.connection_id or "")
    works = made.status == CONNECTED
    return DoneStep(
        frame=frame,
        provider_name=made.provider_name,
        site_names=tuple(world.companies.site(site_id).name for site_id in made.sites),
        status=made.status,
        status_text=STATUS_TEXTS.get(made.status, "it will be looked at."),
        works=works,
        editing=visit.is_edit,
        onward=_onward(visit, made),
    )


def _onward(visit: FlowRequest, made: SandboxConnection) -> str:
    """Return where the dashboard's own flow goes on to; the hosted pages end here, as the provider's do."""
    return f"/dashboard/connections/{made.id}" if visit.opening.channel == "dashboard" else ""


def _provider_name(url: str) -> str:
    return PROVIDER_NAME if is_sandbox_url(url) else "Your provider"


_BUILDERS: dict[str, Callable[[SandboxWorld, FlowRequest, SandboxFrame], Step]] = {
    "provider": _provider,
    "email": _email,
    "credentials": _credentials,
    "mfa": _mfa,
    "settings": _settings,
    "done": _done,
}
