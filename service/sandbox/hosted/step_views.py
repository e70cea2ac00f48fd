"""Fills the context of each step's page from the flow and from the world."""

from collections.abc import Callable, Mapping

from service.sandbox.hosted.flows import FlowVisit
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
    progress_marks,
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


def view_of(world: SandboxWorld, visit: FlowVisit, step: str, errors: Errors) -> Step:
    """Return the context of a step's page, with what was entered, but never with a password."""
    frame = SandboxFrame(
        title=TITLES[step],
        step=step,
        company=world.companies.get(visit.entry.company_id).name,
        action=visit.action,
        flow=visit.flow.id,
        marks=progress_marks(_names(visit), step),
        errors=errors,
    )
    return _BUILDERS[step](world, visit, frame)


def _names(visit: FlowVisit) -> tuple[str, ...]:
    names = (
        ("email", visit.entry.needs_email),
        ("provider", not visit.is_edit),
        ("credentials", True),
        ("mfa", visit.flow.wants_code),
        ("settings", True),
        ("done", True),
    )
    return tuple(name for name, is_due in names if is_due)


def _provider(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> ProviderStep:
    return ProviderStep(
        frame,
        visit.entered("url") if frame.errors else visit.flow.url,
        visit.entered("country") if frame.errors else visit.flow.country,
    )


def _email(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> EmailStep:
    return EmailStep(frame, visit.entered("email"))


def _credentials(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> CredentialsStep:
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


def _mfa(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> MfaStep:
    return MfaStep(frame, _provider_name(visit.flow.url))


def _settings(world: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> SettingsStep:
    # After an error the form shows what was entered, also where it was nothing.
    entered = frame.errors and visit.entered("step") == "settings"
    values = _entered(visit) if entered else _initial(world, visit)
    sites = world.companies.sites_of(visit.entry.company_id)
    # A company's only site needs no choice.
    only = len(sites) == 1 and not entered
    return SettingsStep(
        frame=frame,
        sites=tuple(CheckBox(each.id, each.name, each.address, only or each.id in values["sites"]) for each in sites),
        types=tuple(CheckBox(kind, kind.capitalize(), "", kind in values["types"]) for kind in SAMPLE_TYPES),
        start_date="".join(values["startDate"]),
        owner_email="".join(values["ownerEmail"]),
        editing=visit.is_edit,
    )


def _entered(visit: FlowVisit) -> dict[str, tuple[str, ...]]:
    return {name: tuple(visit.form.get(name, ())) for name in ("sites", "types", "startDate", "ownerEmail")}


def _initial(world: SandboxWorld, visit: FlowVisit) -> dict[str, tuple[str, ...]]:
    """Return the first values of the form: the connection's, else the link's prefill, else every type."""
    prefill = visit.entry.prefill
    if visit.flow.connection_id is None:
        current = {}
    else:
        connection = world.connections.get(visit.flow.connection_id)
        current = {
            "sites": connection.sites,
            "initialDatasourceTypes": connection.types,
            "dataCollectionStartDate": connection.start_date,
            "workflowOwnerEmail": connection.owner_email,
        }
    first = {name: current.get(name) or prefill.get(name) for name in {*current, *prefill}}
    return {
        "sites": tuple(first.get("sites") or ()),
        "types": tuple(first.get("initialDatasourceTypes") or SAMPLE_TYPES),
        "startDate": (first.get("dataCollectionStartDate") or "",),
        "ownerEmail": (first.get("workflowOwnerEmail") or "",),
    }


def _done(world: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> DoneStep:
    connection = world.connections.get(visit.flow.connection_id or "")
    works = connection.status == CONNECTED
    return DoneStep(
        frame=frame,
        provider_name=connection.provider_name,
        site_names=tuple(world.companies.site(site_id).name for site_id in connection.sites),
        status=connection.status,
        status_text=STATUS_TEXTS.get(connection.status, "it will be looked at."),
        works=works,
        editing=visit.is_edit,
        next_url=_next_url(visit, connection),
    )


def _next_url(visit: FlowVisit, connection: SandboxConnection) -> str:
    """Return the address after the last page: none on the hosted pages, which end there, as the provider's do."""
    return f"/dashboard/connections/{connection.id}" if visit.entry.channel == "dashboard" else ""


# Only the sandbox's own utility has a name before there is a connection.
def _provider_name(url: str) -> str:
    return PROVIDER_NAME if is_sandbox_url(url) else "Your provider"


_BUILDERS: dict[str, Callable[[SandboxWorld, FlowVisit, SandboxFrame], Step]] = {
    "provider": _provider,
    "email": _email,
    "credentials": _credentials,
    "mfa": _mfa,
    "settings": _settings,
    "done": _done,
}
