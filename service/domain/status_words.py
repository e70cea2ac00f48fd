"""The words for each status of a connection: a title, a sentence, the steps that help, and whose turn it is. Pure.

This is the only table of such words: the end user's pages, the API, the commands and, through the API, host apps read
it. It speaks to the end user. Steps come in the order in which they should be tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from service.domain.statuses import REMOVED_STATUS, UNKNOWN_STATUS, ConnectionState, canonical_status, state_of


class Turn(StrEnum):
    """Who can bring a connection forward."""

    USER = "user"
    PROVIDER = "provider"
    HOST = "host"
    SUPPORT = "support"


class StepPlace(StrEnum):
    """Where the user takes a step. A page or a host app can add a link or a button to it."""

    SECURE_PAGE = "secure_page"  # the provider's page, which a reconnect opens for a connection that exists
    UTILITY = "utility"  # the utility's own website
    UPLOAD = "upload"  # the host's page of that name in `helpUrls`; without it the step is left out
    SUPPORT = "support"  # the host's `supportUrl`


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that helps; `place` is None where there is nothing to open."""

    text: str
    place: StepPlace | None = None


# Each exists once, in the table below, so that its identity is enough to compare it and to hash it.
@dataclass(frozen=True, slots=True, eq=False)
class StatusWords:
    """The words for one status; `label` is the title in two or three words, for lists."""

    status: str
    state: ConnectionState
    label: str
    title: str
    sentence: str
    steps: tuple[Step, ...]
    turn: Turn


_ASK = Step("If that does not help, ask for help.", StepPlace.SUPPORT)
_TOLD = Step("There is nothing for you to do. The app that you came from is told when the account works again.")
_SIGN_IN_AGAIN = "Then sign in again on the secure page."

# Reference: developer-guide/mfa-integration: in this order, from the fewest to the most problems. A six-digit code that
# the user types once serves one sign-in only, so it is not among them.
MFA_STEPS = (
    Step("Upload your bills instead. Nothing changes at your utility.", StepPlace.UPLOAD),
    Step(
        "Switch the second step off in the security settings of your utility's website, if it lets you. Then sign in "
        "on the secure page.",
        StepPlace.UTILITY,
    ),
    Step(
        "Or keep it, and have its messages sent to the provider: choose managed forwarding on the secure page. It "
        "shows an address to enter at your utility. Keep the secure page open until you have done so.",
        StepPlace.SECURE_PAGE,
    ),
    Step(
        "Or forward the messages from your own inbox, as the secure page explains. This often fails, because mail "
        "systems block or delay such messages.",
        StepPlace.SECURE_PAGE,
    ),
    Step(
        "If your utility sends text messages only, ask for help: the provider may have a phone number for them.",
        StepPlace.SUPPORT,
    ),
)


def words_for(status: str, state: ConnectionState | None = None) -> StatusWords:
    """Return the words for a status of the provider, in either spelling; an unknown status has words, too.

    `state` is the connection's own, which may differ from what the status means: a status from before the user mended
    the connection is being checked again, and a removed connection is inactive.
    """
    words = _WORDS.get(canonical_status(status), _WORDS[UNKNOWN_STATUS])
    if state == words.state:
        return words
    return _WORDS[_OF_STATE[state]] if state in _OF_STATE else words


def all_words() -> tuple[StatusWords, ...]:
    """Return the words of every status, those for unknown ones included."""
    return tuple(_WORDS.values())


def _words(status: str, texts: tuple[str, str, str], turn: Turn, *steps: Step) -> StatusWords:
    state = ConnectionState.INACTIVE if status == REMOVED_STATUS else state_of(status)
    return StatusWords(status, state, *texts, steps, turn)


_OF_STATE = {ConnectionState.CHECKING: "PENDING", ConnectionState.INACTIVE: REMOVED_STATUS}
_TABLE = (
    _words(
        "PENDING",
        (
            "Being checked",
            "Your account is being checked.",
            "The provider checks it, usually within hours, up to two days. You need not wait.",
        ),
        Turn.PROVIDER,
        Step("You can close this page: the app that you came from is told when the check has ended."),
        Step("If nothing has changed after three days, ask for help.", StepPlace.SUPPORT),
    ),
    _words(
        "UNDER_INVESTIGATION",
        (
            "Under review",
            "The provider is looking into your account.",
            "Something did not go as expected, and its staff check it. This usually takes a few working days.",
        ),
        Turn.PROVIDER,
        _TOLD,
        Step("If nothing has changed after a week, ask for help.", StepPlace.SUPPORT),
    ),
    _words(
        "CONNECTED",
        ("Connected", "Your account is connected.", "Bills and usage follow by themselves."),
        Turn.PROVIDER,
        Step("There is nothing more to do."),
    ),
    _words(
        "NO_ACCOUNTS_FOUND",
        (
            "No accounts found",
            "No accounts were found.",
            "The sign-in worked, but your utility shows no accounts behind it.",
        ),
        Turn.USER,
        Step("Sign in at your utility's website, and see whether your account is there.", StepPlace.UTILITY),
        Step("If it is under another sign-in, use that one on the secure page.", StepPlace.SECURE_PAGE),
        Step("If you do see it there, ask for help.", StepPlace.SUPPORT),
    ),
    _words(
        "WEBSITE_DOWN",
        (
            "Website down",
            "Your utility's website is down.",
            "The provider cannot reach it at the moment. This usually passes, and it is not your fault.",
        ),
        Turn.PROVIDER,
        _TOLD,
        Step("If the website works for you, and nothing has changed after two days, ask for help.", StepPlace.SUPPORT),
    ),
    _words(
        "URL_INACCESSIBLE",
        (
            "Address not reached",
            "The address of your utility's website cannot be reached.",
            "The provider tried the address that this account was connected with, and got no answer.",
        ),
        Turn.SUPPORT,
        Step("It may be temporary. The app that you came from is told when the account works again."),
        Step("If your utility has a new website, or the address was mistyped, ask for help.", StepPlace.SUPPORT),
    ),
    _words(
        "OTHER_ERROR",
        (
            "Delayed",
            "Your account is delayed.",
            "The provider has trouble reading it at the moment, which is not your fault.",
        ),
        Turn.PROVIDER,
        _TOLD,
        Step("If nothing has changed after a week, ask for help.", StepPlace.SUPPORT),
    ),
    _words(
        "PASSWORD_INCORRECT",
        (
            "Sign-in not accepted",
            "The sign-in did not work.",
            "Your utility did not accept the user name or the password.",
        ),
        Turn.USER,
        Step(
            "Sign in at your utility's website, to be sure of both. If you have forgotten the password, or your "
            "utility has locked the account, you can mend that there.",
            StepPlace.UTILITY,
        ),
        Step(_SIGN_IN_AGAIN, StepPlace.SECURE_PAGE),
        _ASK,
    ),
    _words(
        "NEW_PASSWORD_NEEDED",
        (
            "New password needed",
            "Your utility asks for a new password.",
            "Some do so every two or three months. Until then no new bills can be read.",
        ),
        Turn.USER,
        Step("Choose a new password at your utility's website.", StepPlace.UTILITY),
        Step(_SIGN_IN_AGAIN.replace("again", "with it"), StepPlace.SECURE_PAGE),
        _ASK,
    ),
    _words(
        "ADDITIONAL_CREDENTIALS_NEEDED",
        (
            "More details needed",
            "Your utility asks for more details.",
            "It wants more than a user name and a password, such as answers to security questions or a PIN.",
        ),
        Turn.USER,
        Step("Find the answers that you gave your utility. Capitals and spaces count.", StepPlace.UTILITY),
        Step("Then sign in again on the secure page, and give them there.", StepPlace.SECURE_PAGE),
        _ASK,
    ),
    _words(
        "MFA_TOKEN_EXPIRED",
        (
            "Second step fails",
            "The second step of the sign-in does not work.",
            "Your utility confirms sign-ins with a message that the provider does not get. A new password is no help.",
        ),
        Turn.USER,
        *MFA_STEPS,
    ),
    _words(
        "COMPANY_INACTIVE",
        (
            "Not active",
            "Your organisation is not active at the provider.",
            "Nothing can be read for it until it is switched on again. Your sign-in is fine.",
        ),
        Turn.HOST,
        Step("Ask for help: only the app that you came from can change it.", StepPlace.SUPPORT),
    ),
    _words(
        REMOVED_STATUS,
        ("Removed", "The account was removed.", "The provider no longer has it, so no new bills arrive."),
        Turn.USER,
        Step("If you still want it, connect it once more in the app that you came from."),
        Step("If this surprises you, ask for help.", StepPlace.SUPPORT),
    ),
    _words(
        UNKNOWN_STATUS,
        ("Delayed", "Your account is delayed.", "The provider does not say yet what this account waits for."),
        Turn.PROVIDER,
        _TOLD,
        Step("If nothing has changed after a week, ask for help.", StepPlace.SUPPORT),
    ),
)
_WORDS: Mapping[str, StatusWords] = {words.status: words for words in _TABLE}
