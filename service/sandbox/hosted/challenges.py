"""The steps in which a utility asks for more than a password: a code, security questions, and MFA forwarding.

Reference: the provider's pages on MFA, on CenterPoint Energy and on Con Edison.
"""

import re

from service.sandbox.hosted.flows import FlowVisit, HostedFlow, via_of
from service.sandbox.hosted.step_views import Errors
from service.sandbox.wire import fields
from service.sandbox.world.checks import CODE, FORWARDING, QUESTIONS
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import QUESTIONS as KNOWN_ANSWERS
from service.sandbox.world.world import SandboxWorld

STEPS = {CODE: "mfa", QUESTIONS: "questions", FORWARDING: "forwarding"}
"""The first step of each challenge, in the order in which they are asked."""


class ChallengeSteps:
    """Decides which challenge is next, and handles their forms; a handler returns the errors by field."""

    def __init__(self, world: SandboxWorld) -> None:
        self._world = world

    def begin(self, visit: FlowVisit) -> None:
        """Ask what the utility asks for after a sign-in; earlier answers belonged to an earlier sign-in."""
        visit.flow.asked = self._world.checks.asked(visit.entry.company_id, visit.flow.url)
        visit.flow.given = frozenset()
        visit.flow.forward_to = ""

    def begin_renewal(self, flow: HostedFlow, connection: SandboxConnection) -> None:
        """Set up the forwarding again, without the password screen, for a connection to which no code comes."""
        flow.renews, flow.signed_in = True, True
        flow.asked = frozenset({FORWARDING})
        flow.mfa_address = connection.mfa_address

    def asks_more(self, visit: FlowVisit) -> bool:
        """Tell whether the utility asks for something that it did not ask for at the sign-in."""
        # A trouble may have been set while the user was on an earlier page.
        visit.flow.asked |= self._world.checks.asked(visit.entry.company_id, visit.flow.url)
        return self.next_step(visit.flow) is not None

    def next_step(self, flow: HostedFlow) -> str | None:
        """Return the step of the first challenge without an answer; None when all have one."""
        name = next((name for name in STEPS if name in flow.asked - flow.given), None)
        if name == FORWARDING and flow.forward_to:
            return "forwarding-address"
        return STEPS[name] if name else None

    def answer_code(self, visit: FlowVisit) -> Errors:
        """Take the code; the sandbox's utility accepts any six digits."""
        if not re.fullmatch(r"[0-9]{6}", visit.entered("code").replace(" ", "")):
            return {"code": "Enter the six digits of the code."}
        visit.flow.given |= {CODE}
        return {}

    def answer_questions(self, visit: FlowVisit) -> Errors:
        """Take the answers, which must have the exact spelling."""
        answers = ((f"answer{number}", known) for number, (_, known) in enumerate(KNOWN_ANSWERS, 1))
        wrong = [name for name, known in answers if visit.entered(name) != known]
        if wrong:
            return dict.fromkeys(wrong, "The utility did not accept this answer. Capitals and spaces count.")
        visit.flow.given |= {QUESTIONS}
        return {}

    def show_address(self, visit: FlowVisit) -> Errors:
        """Take the user's own address, and generate the one that the utility shall send its codes to."""
        try:
            visit.flow.forward_to = fields.email(visit.entered("forwardTo").strip())
        except ValueError:
            return {"forwardTo": "Enter an e-mail address such as name@example.com."}
        # A user who goes back and forward has entered the first address at the utility already.
        visit.flow.mfa_address = visit.flow.mfa_address or self._world.checks.new_mfa_address()
        return {}

    def confirm_forwarding(self, visit: FlowVisit) -> Errors:
        """Take the user's word that the utility has the address."""
        if not visit.entered("configured"):
            return {"configured": "Tick this once the address is entered at the utility."}
        return self._confirmed(visit, visit.flow.mfa_address)

    def switch_off(self, visit: FlowVisit) -> Errors:
        """Take the user's word that the utility asks for no second proof any more; for an existing connection only."""
        # A new account could not be read without the codes.
        return self._confirmed(visit, "") if visit.is_edit else {}

    def _confirmed(self, visit: FlowVisit, address: str) -> Errors:
        flow = visit.flow
        flow.given |= {FORWARDING}
        # A new connection is submitted with its sites, at the end; a renewal has no further page.
        if flow.renews and flow.connection_id:
            self._world.submissions.confirm_mfa(flow.connection_id, address, via_of(visit))
            flow.submitted = True
        return {}
