"""The provider's check of a sign-in: what it ends with, and when it ends.

Most checks end at once. One that takes time is stored, and ends when the sandbox's clock has reached its time.
"""

from dataclasses import dataclass

from service.sandbox.wire.enums import (
    ADDITIONAL_CREDENTIALS_NEEDED,
    CONNECTED,
    MFA_TOKEN_EXPIRED,
    PENDING,
    URL_INACCESSIBLE,
    is_wrong_password,
)
from service.sandbox.world.account_form import Submission
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.records import SandboxCheck
from service.sandbox.world.rows import SandboxTable
from service.sandbox.world.sample_utility import is_right_pair, is_sandbox_url, named_status
from service.sandbox.world.troubles import SIZED

CODE, QUESTIONS, FORWARDING = "mfa", "security_questions", "mfa_forwarding"
CHALLENGES = {CODE: MFA_TOKEN_EXPIRED, QUESTIONS: ADDITIONAL_CREDENTIALS_NEEDED, FORWARDING: MFA_TOKEN_EXPIRED}
"""What a utility may ask for besides the password, by its trouble, and the status of an account that did not answer."""


@dataclass(frozen=True)
class CheckPlan:
    """What a check ends with, and after how many seconds; None is at once."""

    status: str
    seconds: float | None = None


class SandboxChecks:
    """Decides checks, and stores those that have not ended: one at most for each connection."""

    def __init__(self, context: SandboxContext, table: SandboxTable[SandboxCheck]) -> None:
        self._settings = context.settings
        self._clock = context.clock
        self._ids = context.ids
        self._troubles = context.troubles
        self._table = table

    def plan(self, company_id: str, submission: Submission) -> CheckPlan:
        """Decide the check of these credentials; uses the troubles that bear on it."""
        is_custom = not is_sandbox_url(submission.url)
        status = URL_INACCESSIBLE if is_custom else self._result(company_id, submission)
        if submission.refused:
            return CheckPlan(self._settings.wrong_password_status)
        waits = is_custom or status == PENDING or (status == CONNECTED and FORWARDING in submission.given)
        return self._timed(company_id, CONNECTED if status == PENDING else status, waits=waits)

    def plan_after_mfa(self, company_id: str) -> CheckPlan:
        """Decide the check that follows an MFA set-up. Reference: the provider's page on CenterPoint Energy."""
        return self._timed(company_id, CONNECTED, waits=True)

    def refuses(self, company_id: str, submission: Submission) -> bool:
        """Tell whether the utility refuses the password as soon as it is entered; uses no trouble."""
        if not is_sandbox_url(submission.url):
            return False
        wrong = self._troubles.active("wrong_password", company_id)
        return wrong is not None or is_wrong_password(self._credentials_status(submission))

    def asked(self, company_id: str, url: str) -> frozenset[str]:
        """Return the challenges that the utility at this address has for a company now; uses no trouble."""
        if not is_sandbox_url(url):
            return frozenset()
        return frozenset(name for name in CHALLENGES if self._troubles.active(name, company_id))

    def new_mfa_address(self) -> str:
        """Return a new address for a utility's codes; the provider documents its form by an example only."""
        return f"mfa-{self._ids.uuid().replace('-', '')[:12]}@codes.nectar-sandbox.example"

    def start(self, connection_id: str, company_id: str, plan: CheckPlan) -> None:
        """Store a check that takes time; it replaces the connection's earlier one."""
        due_at = self._clock.time() + (plan.seconds or 0.0)
        self._table.put(SandboxCheck(connection_id, company_id, due_at, plan.status))

    def stop(self, connection_id: str) -> None:
        """Drop a connection's check; without one nothing changes."""
        if self.find(connection_id):
            self._table.remove(connection_id)

    def find(self, connection_id: str) -> SandboxCheck | None:
        """Return a connection's check that has not ended, if there is one."""
        return self._table.get(connection_id)

    def due(self) -> list[SandboxCheck]:
        """Return the checks whose time has come, in the order of their times."""
        now = self._clock.time()
        return sorted((each for each in self._table if each.due_at <= now), key=lambda each: each.due_at)

    def _timed(self, company_id: str, status: str, *, waits: bool) -> CheckPlan:
        # A check that takes time anyway lasts as long as the trouble says, too.
        trouble = self._troubles.use("pending_for", company_id)
        if trouble:
            return CheckPlan(str(trouble.status or status), trouble.size)
        return CheckPlan(status, SIZED["pending_for"] if waits else None)

    def _result(self, company_id: str, submission: Submission) -> str:
        status = self._credentials_status(submission)
        if self._troubles.use("wrong_password", company_id) or is_wrong_password(status):
            return self._settings.wrong_password_status
        # Each is used, also where an earlier one decides already.
        unanswered = [
            needed
            for name, needed in CHALLENGES.items()
            if self._troubles.use(name, company_id) and name not in submission.given
        ]
        return unanswered[0] if unanswered else status

    def _credentials_status(self, submission: Submission) -> str:
        if not is_right_pair(submission.username, submission.password):
            return self._settings.wrong_password_status
        return named_status(submission.username) or CONNECTED
