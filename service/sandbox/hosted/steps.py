"""The pages of the wizard's steps: one typed context per template, and the lists that they offer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from service.sandbox.wire.html import ProgressMark, SandboxFrame
from service.sandbox.world.sample_utility import PASSWORD, PROVIDER_NAME, PROVIDER_URL, USERNAME

TITLES = {
    "email": "Confirm your e-mail address",
    "provider": "Choose your utility provider",
    "credentials": "Sign in to your provider",
    "mfa": "Enter your code",
    "questions": "Answer your security questions",
    "forwarding": "Let codes reach the provider",
    "forwarding-address": "Enter this address at your utility",
    "settings": "Sites and utility types",
    "done": "All done",
}
NAMES = {
    "email": "E-mail",
    "provider": "Provider",
    "credentials": "Sign in",
    "mfa": "Code",
    "questions": "Questions",
    "forwarding": "Codes",
    "forwarding-address": "Address",
    "settings": "Sites and types",
    "done": "Done",
}


@dataclass(frozen=True)
class ListedProvider:
    """A utility that the page offers."""

    name: str
    url: str
    note: str


PROVIDERS = (
    ListedProvider(PROVIDER_NAME, PROVIDER_URL, "Sample bills within seconds"),
    # For tests of a host app: what its user hears while a check of the sign-in does not end.
    ListedProvider("Silent Valley Electric", "https://silent-valley.example", "Checked for hours, never reached"),
)
COUNTRIES = {
    "US": "United States",
    "CA": "Canada",
    "GB": "United Kingdom",
    "IE": "Ireland",
    "DE": "Germany",
    "FR": "France",
    "ES": "Spain",
    "IT": "Italy",
    "NL": "Netherlands",
    "SE": "Sweden",
    "AU": "Australia",
    "NZ": "New Zealand",
    "JP": "Japan",
    "MX": "Mexico",
    "BR": "Brazil",
    "IN": "India",
}


@dataclass(frozen=True)
class CheckBox:
    """One check box."""

    value: str
    name: str
    note: str
    checked: bool


@dataclass(frozen=True)
class ProviderStep:
    """The page that asks for the utility."""

    template: ClassVar[str] = "sandbox/provider.html"
    frame: SandboxFrame
    url: str
    country: str
    custom_name: str
    providers: tuple[ListedProvider, ...] = PROVIDERS
    countries: Mapping[str, str] = field(default_factory=lambda: COUNTRIES)


@dataclass(frozen=True)
class EmailStep:
    """The page that verifies an e-mail address, for invitations that have allowed ones."""

    template: ClassVar[str] = "sandbox/email.html"
    frame: SandboxFrame
    email: str


@dataclass(frozen=True)
class CredentialsStep:
    """The page that asks for the credentials; it has no field for a password, so that none can be echoed."""

    template: ClassVar[str] = "sandbox/credentials.html"
    frame: SandboxFrame
    provider_name: str
    url: str
    country: str
    username: str
    editing: bool
    can_change: bool
    can_keep: bool
    sandbox_username: str = USERNAME
    sandbox_password: str = PASSWORD


@dataclass(frozen=True)
class MfaStep:
    """The page that asks for the code."""

    template: ClassVar[str] = "sandbox/mfa.html"
    frame: SandboxFrame
    provider_name: str


@dataclass(frozen=True)
class SecurityQuestion:
    """One question; `known` is the answer that the sandbox's utility expects."""

    field: str
    text: str
    known: str


@dataclass(frozen=True)
class QuestionsStep:
    """The page that asks the utility's security questions; answers are never shown again."""

    template: ClassVar[str] = "sandbox/questions.html"
    frame: SandboxFrame
    provider_name: str
    questions: tuple[SecurityQuestion, ...]


@dataclass(frozen=True)
class ForwardingStep:
    """The page that starts managed forwarding: it asks for the user's own address."""

    template: ClassVar[str] = "sandbox/forwarding.html"
    frame: SandboxFrame
    provider_name: str
    forward_to: str
    can_switch_off: bool


@dataclass(frozen=True)
class ForwardingAddressStep:
    """The page that shows the generated address, and stays open while the user is at the utility."""

    template: ClassVar[str] = "sandbox/forwarding-address.html"
    frame: SandboxFrame
    provider_name: str
    address: str
    contact: str
    forward_to: str
    can_switch_off: bool


@dataclass(frozen=True)
class SettingsStep:
    """The page that asks for sites and utility types."""

    template: ClassVar[str] = "sandbox/settings.html"
    frame: SandboxFrame
    sites: tuple[CheckBox, ...]
    types: tuple[CheckBox, ...]
    start_date: str
    owner_email: str
    editing: bool


@dataclass(frozen=True)
class DoneStep:
    """The last page; `tone` is fine, wait or poor, and only the dashboard's has a `next_url`."""

    template: ClassVar[str] = "sandbox/done.html"
    frame: SandboxFrame
    provider_name: str
    site_names: tuple[str, ...]
    status: str
    status_text: str
    tone: str
    editing: bool
    next_url: str


Step = (
    ProviderStep
    | EmailStep
    | CredentialsStep
    | MfaStep
    | QuestionsStep
    | ForwardingStep
    | ForwardingAddressStep
    | SettingsStep
    | DoneStep
)


def progress_marks(names: tuple[str, ...], current: str) -> tuple[ProgressMark, ...]:
    """Return the progress list of a flow with these steps."""
    position = names.index(current)
    # The three words are classes of the style sheet, and `now` sets `aria-current`.
    states = ("past" if index < position else "now" if index == position else "next" for index in range(len(names)))
    return tuple(ProgressMark(NAMES[name], state) for name, state in zip(names, states, strict=True))


def resolve_provider(entered: str) -> str:
    """Return the address of a provider on the list, by its name; anything else is an address itself.

    A bare host gets `https://`, as in a browser's address bar.
    """
    known = {provider.name.casefold(): provider.url for provider in PROVIDERS}
    text = entered.strip()
    if text.casefold() in known:
        return known[text.casefold()]
    # What has a space or no dot is no host, and stays as it is for the error message.
    return text if "://" in text or " " in text or "." not in text else f"https://{text}"
