"""The connection flow: which step is next, what each form changes, and the page that a step shows. No HTTP.

The hosted pages and the dashboard share it. A form is answered by a redirect to the next step's address, so that a
reload repeats nothing and the browser's Back works. Reference: the provider's pages on connecting and reconnecting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from service.sandbox.hosted.challenges import ChallengeSteps
from service.sandbox.hosted.flows import FlowEntry, FlowVisit, HostedFlow, HostedFlows, via_of
from service.sandbox.hosted.step_views import Errors, step_names, view_of
from service.sandbox.hosted.steps import Step, resolve_provider
from service.sandbox.wire import fields
from service.sandbox.wire.enums import MFA_TOKEN_EXPIRED, is_wrong_password
from service.sandbox.wire.errors import EmailNotVerified, InvalidFields
from service.sandbox.world.account_form import Submission, read_edit, read_submission
from service.sandbox.world.checks import CHALLENGES
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import SITES_MOST
from service.sandbox.world.world import SandboxWorld

Form = Mapping[str, Sequence[str]]
ORDER = (
    *("email", "provider", "credentials", "mfa", "questions"),
    *("forwarding", "forwarding-address", "settings", "done"),
)
RANKS = {name: rank for rank, name in enumerate(ORDER)}
# Second buttons, each with the step on whose page it is.
BUTTONS = {"change": "credentials", "keep": "credentials", "mfa-off": "forwarding"}
# What a page shows again after an error: no secret is among it, and what a stranger adds is not kept.
SHOWN_AGAIN = frozenset({"step", "email", "url", "country", "providerName", "username", "forwardTo"}) | {
    *("sites", "types", "startDate", "ownerEmail"),
}
SHOWN_MOST = 8_000
"""Characters in all; a form with more is shown empty, since there may be ten thousand flows in memory."""

STALE = "This page was open for too long. Please start again."
REFUSED = "The provider did not accept this user name and password. Check them and try again."
FIELD_ERRORS = {
    "sites": ("sites", "Choose one to three sites."),
    "initialDatasourceTypes": ("types", "Choose utility types from the list."),
    "dataCollectionStartDate": ("startDate", "Enter the start date as year, month and day."),
    "workflowOwnerEmail": ("ownerEmail", "Enter an e-mail address such as name@example.com, or none."),
}


@dataclass(frozen=True)
class WizardResult:
    """Where a form leads: the flow, its step, and at the end the connection that the flow created or changed."""

    flow_id: str
    step: str
    connection_id: str | None = None

    def address(self, action: str) -> str:
        """Return the address of the step's page, given the address of the first page."""
        return f"{action}{'&' if '?' in action else '?'}{urlencode({'flow': self.flow_id, 'step': self.step})}"


class ConnectionWizard:
    """Shows the steps and handles their forms."""

    def __init__(self, world: SandboxWorld, flows: HostedFlows) -> None:
        self._world = world
        self._flows = flows
        self._challenges = challenges = ChallengeSteps(world)
        self._handlers: dict[str, Callable[[FlowVisit], Errors]] = {
            "email": self._handle_email,
            "provider": self._handle_provider,
            "change": self._handle_change,
            "credentials": self._handle_credentials,
            "keep": self._handle_keep,
            "mfa": challenges.answer_code,
            "questions": challenges.answer_questions,
            "forwarding": challenges.show_address,
            "forwarding-address": challenges.confirm_forwarding,
            "mfa-off": challenges.switch_off,
            "settings": self._handle_settings,
        }

    def flow_of(self, entry: FlowEntry, flow_id: str) -> HostedFlow | None:
        """Return the flow with this id; a page can so tell its own use of a link from another's."""
        return self._flows.find(flow_id, entry)

    def show(self, entry: FlowEntry, action: str, flow_id: str = "", step: str = "") -> Step:
        """Return the page of a flow's step, or of its next one; without a flow the first page, and none is stored."""
        flow = self.flow_of(entry, flow_id)
        visit = FlowVisit(entry, action, flow or self._new_flow(entry))
        shown = self._reached(visit, step)
        if flow is None:
            return view_of(self._world, visit, shown, {"form": STALE} if flow_id else {})
        # The last form's errors belong to the step that they were shown on.
        if flow.refused_step != shown:
            return view_of(self._world, visit, shown, {})
        return view_of(self._world, replace(visit, form=flow.entered), shown, flow.errors)

    def submit(self, entry: FlowEntry, form: Form) -> WizardResult:
        """Handle a form; raises `ClosedLink` or `RecordMissing` for a link that was closed.

        The form of a later step changes nothing, nor does one of a finished flow: a second post has no effect.
        """
        flow = self.flow_of(entry, next(iter(form.get("flow", ())), ""))
        visit = FlowVisit(entry, "", flow or self._new_flow(entry), form)
        if flow is None:
            self._flows.keep(visit.flow)
        step, current = visit.entered("step"), self._next_step(visit)
        if current == "done":
            return self._result(visit, {}, step)
        if not self._takes(visit, step, current):
            return self._result(visit, {} if flow else {"form": STALE}, current)
        return self._result(visit, self._handlers[step](visit), step)

    def _result(self, visit: FlowVisit, errors: Errors, step: str) -> WizardResult:
        flow, shown = visit.flow, self._next_step(visit)
        # An error of an earlier step is shown on that step's page.
        if errors and step in ORDER and RANKS[step] < RANKS[shown]:
            shown = step
        flow.errors, flow.refused_step = errors, shown if errors else ""
        kept = {name: values for name, values in visit.form.items() if name in SHOWN_AGAIN}
        size = sum(len(value) for values in kept.values() for value in values)
        flow.entered = kept if errors and size <= SHOWN_MOST else {}
        return WizardResult(flow.id, shown, flow.connection_id if shown == "done" else None)

    def _reached(self, visit: FlowVisit, step: str) -> str:
        """Return the requested step if the flow has it and has come that far, or else the next one."""
        current = self._next_step(visit)
        known = step in step_names(visit) and RANKS[step] <= RANKS[current] and current != "done"
        return step if known else current

    def _takes(self, visit: FlowVisit, step: str, current: str) -> bool:
        """Tell whether a form may be handled: the flow has its step, and has come that far."""
        shown_on = BUTTONS.get(step, step)
        return step in self._handlers and shown_on in step_names(visit) and RANKS[shown_on] <= RANKS[current]

    def _new_flow(self, entry: FlowEntry) -> HostedFlow:
        flow = self._flows.draft(entry)
        if entry.connection_id:
            before = self._world.connections.get(entry.connection_id)
            flow.url, flow.country, flow.username = before.url, before.country, before.username
            flow.is_chosen, flow.provider_name = True, before.custom_name
            # Reference: platform/data-input/reconnecting: after an MFA error comes the set-up, not the password screen.
            if before.status == MFA_TOKEN_EXPIRED:
                self._challenges.begin_renewal(flow, before)
        return flow

    def _next_step(self, visit: FlowVisit) -> str:
        flow = visit.flow
        steps = (
            ("email", visit.entry.needs_email and flow.proof is None),
            ("done", flow.submitted),
            ("provider", not flow.is_chosen),
            ("credentials", not flow.signed_in),
        )
        first = next((name for name, is_due in steps if is_due), None)
        return first or self._challenges.next_step(flow) or "settings"

    def _handle_email(self, visit: FlowVisit) -> Errors:
        try:
            visit.flow.proof = self._world.invitations.verify_email(visit.entry.token, visit.entered("email"))
        except EmailNotVerified:
            return {"email": "This invitation is not for that address. Enter the address that it was sent to."}
        return {}

    def _handle_provider(self, visit: FlowVisit) -> Errors:
        provider = visit.entered("pick") or resolve_provider(visit.entered("url"))
        url = _checked(fields.web_url, provider)
        country = _checked(fields.country, visit.entered("country").strip())
        errors = {
            "url": "" if url else "Enter a website such as https://nectarclimate.com, or a name from the list.",
            "country": "" if country else "Enter a country as two letters, for example US.",
        }
        if url and country:
            visit.flow.url, visit.flow.country = url, country
            visit.flow.provider_name = visit.entered("providerName").strip()[:200]
            visit.flow.is_chosen, visit.flow.signed_in = True, False
        return {name: text for name, text in errors.items() if text}

    def _handle_change(self, visit: FlowVisit) -> Errors:
        visit.flow.is_chosen = visit.is_edit
        return {}

    def _handle_keep(self, visit: FlowVisit) -> Errors:
        """Keep the credentials and change only sites and types; for an existing connection only."""
        visit.flow.signed_in = visit.is_edit
        return {}

    def _handle_credentials(self, visit: FlowVisit) -> Errors:
        flow = visit.flow
        username = _checked(fields.text(1, 255), visit.entered("username"))
        password = _checked(fields.secret, visit.entered("password"))
        errors = {
            "username": "" if username else "Enter your user name.",
            "password": "" if password else "Enter your password.",
        }
        if not username or not password:
            return {name: text for name, text in errors.items() if text}
        flow.username, flow.password = username, password
        # The provider checks the sign-in at once, and records a refused one as a connection.
        entered = Submission(flow.url, username, password, ())
        flow.signed_in = not self._world.checks.refuses(visit.entry.company_id, entered)
        if not flow.signed_in:
            self._record_refusal(visit)
            return {"form": REFUSED}
        self._challenges.begin(visit)
        return {}

    def _handle_settings(self, visit: FlowVisit) -> Errors:
        body = {
            "sites": list(visit.form.get("sites", ())),
            "initialDatasourceTypes": list(visit.form.get("types", ())),
            "dataCollectionStartDate": visit.entered("startDate") or None,
            "workflowOwnerEmail": visit.entered("ownerEmail").strip() or None,
        }
        if not body["sites"]:
            return dict([FIELD_ERRORS["sites"]])
        try:
            connection = self._save(visit, body)
        except InvalidFields as wrong:
            return dict(FIELD_ERRORS.get(name, ("form", text[0])) for name, text in wrong.errors.items())
        return self._finish(visit, connection)

    def _finish(self, visit: FlowVisit, connection: SandboxConnection) -> Errors:
        """Choose the next step by the connection's status; a trouble may have changed it since the sign-in."""
        flow = visit.flow
        if is_wrong_password(connection.status):
            flow.signed_in = False
            return {"form": REFUSED}
        if connection.status not in CHALLENGES.values() or not self._challenges.asks_more(visit):
            flow.submitted, flow.password = True, ""
        return {}

    def _record_refusal(self, visit: FlowVisit) -> None:
        """Create or change the connection with the status of a wrong password, as the provider does.

        Its sites are chosen later; until then a new one has those of the link, if any.
        """
        known = visit.entry.prefill.get("sites") or []
        is_new = visit.flow.connection_id is None
        self._save(visit, {"sites": list(known)[:SITES_MOST]} if is_new else {}, refused=True)

    def _save(self, visit: FlowVisit, body: dict[str, Any], *, refused: bool = False) -> SandboxConnection:
        """Create the flow's connection, or change the one that it has: one flow never creates two."""
        flow, via = visit.flow, via_of(visit)
        account = {"url": flow.url, "country": flow.country, "username": flow.username, "password": flow.password}
        seen: dict[str, Any] = {"given": flow.given, "refused": refused, "custom_name": flow.provider_name}
        if flow.connection_id is None:
            entered = replace(read_submission(account | body, sites_later=True), **seen, mfa_address=flow.mfa_address)
            connection = self._world.submissions.create(visit.entry.company_id, entered, via)
            flow.connection_id = connection.id
            return connection
        before = self._world.connections.get(flow.connection_id)
        edit = read_edit(before, account | body)
        entered = replace(edit, **seen, mfa_address=flow.mfa_address or edit.mfa_address)
        return self._world.submissions.edit(before.id, entered, via)


def _checked(check: fields.Check, value: str) -> str:
    """Return the checked value; empty for one that is refused."""
    try:
        return str(check(value))
    except ValueError:
        return ""
