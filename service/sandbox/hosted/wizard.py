"""The connection flow: which step is next, what each form changes, and the page that follows. No HTTP.

The hosted pages and the dashboard share it. Reference: the provider's pages on connecting and reconnecting.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.sandbox.hosted.flows import FlowEntry, FlowVisit, HostedFlow, HostedFlows
from service.sandbox.hosted.step_views import Errors, view_of
from service.sandbox.hosted.steps import Step, resolve_provider
from service.sandbox.wire import fields
from service.sandbox.wire.enums import MFA_TOKEN_EXPIRED, is_wrong_password
from service.sandbox.wire.errors import EmailNotVerified, InvalidFields
from service.sandbox.world.account_form import read_edit, read_submission
from service.sandbox.world.invitations import Via
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import MFA_CODE, PASSWORD, SITES_MOST, USERNAME, is_sandbox_url
from service.sandbox.world.world import SandboxWorld

Form = Mapping[str, Sequence[str]]
ORDER = ("email", "provider", "credentials", "mfa", "settings", "done")
# `change` and `keep` are buttons of the credentials page.
RANKS = {name: rank for rank, name in enumerate(ORDER)} | {"change": 2, "keep": 2}

STALE = "This page was open for too long. Please start again."
REFUSED = "The provider did not accept this user name and password. Check them and try again."
FIELD_ERRORS = {
    "sites": ("sites", "Choose one to three sites."),
    "initialDatasourceTypes": ("types", "Choose utility types from the list."),
    "dataCollectionStartDate": ("startDate", "Enter the start date as year, month and day."),
    "workflowOwnerEmail": ("ownerEmail", "Enter an e-mail address such as name@example.com, or none."),
}


@dataclass(frozen=True)
class WizardOutcome:
    """The page to show, its HTTP status, and at the end the connection that the flow created or changed."""

    view: Step
    status: int
    connection_id: str | None = None


class ConnectionWizard:
    """Shows the steps and handles their forms."""

    def __init__(self, world: SandboxWorld, flows: HostedFlows) -> None:
        self._world = world
        self._flows = flows
        self._handlers: dict[str, Callable[[FlowVisit], Errors]] = {
            "email": self._handle_email,
            "provider": self._handle_provider,
            "change": self._handle_change,
            "credentials": self._handle_credentials,
            "keep": self._handle_keep,
            "mfa": self._handle_code,
            "settings": self._handle_settings,
        }

    def show(self, entry: FlowEntry, action: str) -> WizardOutcome:
        """Return the first page; no flow is stored yet."""
        return self._page(FlowVisit(entry, action, self._new_flow(entry)), {})

    def flow_of(self, entry: FlowEntry, form: Form) -> HostedFlow | None:
        """Return the flow that a form belongs to; a page can so tell its own use of a link from another's."""
        return self._flows.find(next(iter(form.get("flow", ())), ""), entry)

    def submit(self, entry: FlowEntry, action: str, form: Form) -> WizardOutcome:
        """Handle a form and return the next page; raises `ClosedLink` or `RecordMissing` for a link that was closed.

        The form of a later step changes nothing, nor does one of a finished flow: a second post has no effect.
        """
        flow = self.flow_of(entry, form)
        visit = FlowVisit(entry, action, flow or self._new_flow(entry), form)
        if flow is None:
            self._flows.keep(visit.flow)
        step, current = visit.entered("step"), self._next_step(visit)
        if current == "done":
            return self._page(visit, {})
        if step not in self._handlers or RANKS[step] > RANKS[current]:
            return self._page(visit, {} if flow else {"form": STALE})
        errors = self._handlers[step](visit)
        return self._page(visit, errors, step if errors else None)

    def _page(self, visit: FlowVisit, errors: Errors, step: str | None = None) -> WizardOutcome:
        current = self._next_step(visit)
        # An error of an earlier step is shown on that step's page.
        if step in ORDER and RANKS[step] < RANKS[current]:
            current = step
        # A refused sign-in is not a wrong field: its page is an ordinary answer.
        status = 422 if set(errors) - {"form"} else 200
        connection = visit.flow.connection_id if current == "done" else None
        return WizardOutcome(view_of(self._world, visit, current, errors), status, connection)

    def _new_flow(self, entry: FlowEntry) -> HostedFlow:
        flow = self._flows.draft(entry)
        if entry.connection_id:
            before = self._world.connections.get(entry.connection_id)
            flow.url, flow.country, flow.username = before.url, before.country, before.username
            flow.is_chosen = True
            # Reference: platform/data-input/reconnecting: after an MFA error comes the code, not the password screen.
            flow.signed_in = flow.wants_code = before.status == MFA_TOKEN_EXPIRED
        return flow

    def _next_step(self, visit: FlowVisit) -> str:
        flow = visit.flow
        steps = (
            ("email", visit.entry.needs_email and flow.proof is None),
            ("done", flow.submitted),
            ("provider", not flow.is_chosen),
            ("credentials", not flow.signed_in),
            ("mfa", flow.wants_code and not flow.code_given),
        )
        return next((name for name, is_due in steps if is_due), "settings")

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
        flow.signed_in = not self._is_refused(visit)
        if not flow.signed_in:
            self._record_refusal(visit)
            return {"form": REFUSED}
        flow.wants_code = is_sandbox_url(flow.url) and self._has_trouble("mfa", visit)
        flow.code_given = False
        return {}

    def _handle_code(self, visit: FlowVisit) -> Errors:
        if not re.fullmatch(r"[0-9]{6}", visit.entered("code").replace(" ", "")):
            return {"code": "Enter the six digits of the code."}
        visit.flow.code_given = True
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
        if connection.status == MFA_TOKEN_EXPIRED and flow.code_given:
            connection = self._world.submissions.answer_mfa(connection.id, MFA_CODE, _via(visit))
        if is_wrong_password(connection.status):
            flow.signed_in = False
            return {"form": REFUSED}
        flow.wants_code = connection.status == MFA_TOKEN_EXPIRED
        if not flow.wants_code:
            flow.submitted, flow.password = True, ""
        return {}

    def _is_refused(self, visit: FlowVisit) -> bool:
        flow = visit.flow
        if not is_sandbox_url(flow.url):
            return False
        return (flow.username, flow.password) != (USERNAME, PASSWORD) or self._has_trouble("wrong_password", visit)

    def _record_refusal(self, visit: FlowVisit) -> None:
        """Create or change the connection with the status of a wrong password, as the provider does.

        Its sites are chosen later; until then a new one has those of the link, if any.
        """
        known = visit.entry.prefill.get("sites") or []
        is_new = visit.flow.connection_id is None
        self._save(visit, {"sites": list(known)[:SITES_MOST]} if is_new else {})

    def _save(self, visit: FlowVisit, body: dict[str, Any]) -> SandboxConnection:
        """Create the flow's connection, or change the one that it has: one flow never creates two."""
        flow, via = visit.flow, _via(visit)
        account = {"url": flow.url, "country": flow.country, "username": flow.username, "password": flow.password}
        if flow.connection_id is None:
            connection = self._world.submissions.create(
                visit.entry.company_id, read_submission(account | body, sites_later=True), via
            )
            flow.connection_id = connection.id
            return connection
        before = self._world.connections.get(flow.connection_id)
        return self._world.submissions.edit(before.id, read_edit(before, account | body), via)

    def _has_trouble(self, name: str, visit: FlowVisit) -> bool:
        return self._world.troubles.active(name, visit.entry.company_id) is not None


def _via(visit: FlowVisit) -> Via:
    return Via(visit.entry.channel, visit.entry.invitation_id, visit.flow.proof)


def _checked(check: fields.Check, value: str) -> str:
    """Return the checked value; empty for one that is refused."""
    try:
        return str(check(value))
    except ValueError:
        return ""
