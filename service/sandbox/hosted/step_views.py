"""Fills the context of each step's page from the flow and from the world."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from service.sandbox.hosted.flows import FlowVisit, HostedFlow
from service.sandbox.hosted.steps import (
    TITLES,
    CheckBox,
    CredentialsStep,
    DoneStep,
    EmailStep,
    ForwardingAddressStep,
    ForwardingStep,
    MfaStep,
    ProviderStep,
    QuestionsStep,
    SecurityQuestion,
    SettingsStep,
    Step,
    progress_marks,
)
from service.sandbox.wire.enums import CONNECTED, MFA_TOKEN_EXPIRED, PENDING, SAMPLE_TYPES
from service.sandbox.wire.html import SandboxFrame
from service.sandbox.world.checks import CODE, FORWARDING, QUESTIONS
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import PROVIDER_NAME, is_sandbox_url
from service.sandbox.world.sample_utility import QUESTIONS as KNOWN_ANSWERS
from service.sandbox.world.world import SandboxWorld

STATUS_TEXTS = {
    CONNECTED: "Bills and usage arrive in the background.",
    PENDING: "The sign-in is checked now, usually within hours, sometimes up to two days. You need not wait.",
    "UNDER_INVESTIGATION": "Our staff look into it, usually for a few business days.",
    "URL_INACCESSIBLE": "Its website cannot be reached.",
    "WEBSITE_DOWN": "Its website is down.",
    "OTHER_ERROR": "Something went wrong on the way to it.",
    "NO_ACCOUNTS_FOUND": "The sign-in works, but it shows no account.",
    MFA_TOKEN_EXPIRED: "Its codes do not reach us.",
    "NEW_PASSWORD_NEEDED": "It asks you to choose a new password first.",
    "ADDITIONAL_CREDENTIALS_NEEDED": "It asks for more than a password.",
    "COMPANY_INACTIVE": "The company is not active.",
}
DONE_TITLES = {"fine": TITLES["done"], "wait": "Handed over", "poor": "Saved, but not connected"}
CONTACT = "Nectar Sandbox"
Errors = Mapping[str, str]


def view_of(world: SandboxWorld, visit: FlowVisit, step: str, errors: Errors) -> Step:
    """Return the context of a step's page, with what was entered, but never with a password."""
    frame = SandboxFrame(
        title=TITLES[step],
        step=step,
        company=world.companies.get(visit.entry.company_id).name,
        action=visit.action,
        flow=visit.flow.id,
        marks=progress_marks(step_names(visit), step),
        errors=errors,
    )
    return _BUILDERS[step](world, visit, frame)


def step_names(visit: FlowVisit) -> tuple[str, ...]:
    """Return the steps that this flow has, as far as it is known now."""
    flow = visit.flow
    names = (
        ("email", visit.entry.needs_email),
        ("provider", not visit.is_edit),
        ("credentials", not flow.renews),
        ("mfa", CODE in flow.asked),
        ("questions", QUESTIONS in flow.asked),
        ("forwarding", FORWARDING in flow.asked),
        ("forwarding-address", FORWARDING in flow.asked),
        ("settings", not flow.renews),
        ("done", True),
    )
    return tuple(name for name, is_due in names if is_due)


def _provider(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> ProviderStep:
    return ProviderStep(
        frame,
        visit.entered("url") if frame.errors else visit.flow.url,
        visit.entered("country") if frame.errors else visit.flow.country,
        visit.entered("providerName") if frame.errors else visit.flow.provider_name,
    )


def _email(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> EmailStep:
    return EmailStep(frame, visit.entered("email"))


def _credentials(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> CredentialsStep:
    flow = visit.flow
    return CredentialsStep(
        frame=frame,
        provider_name=_provider_name(flow),
        url=flow.url,
        country=flow.country,
        username=visit.entered("username") or flow.username,
        editing=visit.is_edit,
        can_change=not visit.is_edit,
        can_keep=visit.is_edit,
    )


def _mfa(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> MfaStep:
    return MfaStep(frame, _provider_name(visit.flow))


def _questions(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> QuestionsStep:
    questions = (SecurityQuestion(f"answer{number}", *each) for number, each in enumerate(KNOWN_ANSWERS, 1))
    return QuestionsStep(frame, _provider_name(visit.flow), tuple(questions))


def _forwarding(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> ForwardingStep:
    entered = visit.entered("forwardTo") if frame.errors else visit.flow.forward_to
    return ForwardingStep(frame, _provider_name(visit.flow), entered, visit.is_edit)


def _forwarding_address(_: SandboxWorld, visit: FlowVisit, frame: SandboxFrame) -> ForwardingAddressStep:
    flow = visit.flow
    return ForwardingAddressStep(frame, _provider_name(flow), flow.mfa_address, CONTACT, flow.forward_to, visit.is_edit)


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
    tone = {CONNECTED: "fine", PENDING: "wait"}.get(connection.status, "poor")
    return DoneStep(
        frame=replace(frame, title=DONE_TITLES[tone]),
        provider_name=connection.provider_name,
        site_names=tuple(world.companies.site(site_id).name for site_id in connection.sites),
        status=connection.status,
        status_text=STATUS_TEXTS.get(connection.status, "It will be looked at."),
        tone=tone,
        editing=visit.is_edit,
        next_url=_next_url(visit, connection),
    )


def _next_url(visit: FlowVisit, connection: SandboxConnection) -> str:
    """Return the address after the last page: none on the hosted pages, which end there, as the provider's do."""
    return f"/dashboard/connections/{connection.id}" if visit.entry.channel == "dashboard" else ""


def _provider_name(flow: HostedFlow) -> str:
    # Before there is a connection, only the sandbox's own utility and a custom provider with a name have one.
    return PROVIDER_NAME if is_sandbox_url(flow.url) else flow.provider_name or "Your provider"


_BUILDERS: dict[str, Callable[[SandboxWorld, FlowVisit, SandboxFrame], Step]] = {
    "provider": _provider,
    "email": _email,
    "credentials": _credentials,
    "mfa": _mfa,
    "questions": _questions,
    "forwarding": _forwarding,
    "forwarding-address": _forwarding_address,
    "settings": _settings,
    "done": _done,
}
