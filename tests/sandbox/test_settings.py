"""The sandbox's settings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.settings import VARIABLES, BadSandboxSettings, SandboxSettings, read

SECRET = "whsec_c2FuZGJveC1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"


def test_nothing_needs_to_be_set() -> None:
    settings = read({})
    assert settings == SandboxSettings()
    assert (settings.api_key, settings.public_url) == ("sandbox-key", "http://127.0.0.1:9000")
    assert (settings.data_dir, settings.data_delay_seconds, settings.redirects) == (None, 5.0, False)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SANDBOX_API_KEY", "two words"),
        ("SANDBOX_API_KEY", "schlüssel"),
        ("SANDBOX_API_KEY", "line\nbreak"),
        ("SANDBOX_PUBLIC_URL", "sandbox.example.com"),
        ("SANDBOX_PUBLIC_URL", "https://sandbox.example.com/path"),
        ("SANDBOX_PUBLIC_URL", "https://user@sandbox.example.com"),
        ("SANDBOX_PUBLIC_URL", "https://sandbox.example.com:port"),
        ("SANDBOX_PUBLIC_URL", "https://[sandbox"),
        ("SANDBOX_DATA_DELAY", "86401"),
        ("SANDBOX_DATA_DELAY", "-1"),
        ("SANDBOX_DATA_DELAY", "nan"),
        ("SANDBOX_DATA_DELAY", "soon"),
        ("SANDBOX_WEBHOOK_URL", "ftp://localhost"),
        ("SANDBOX_WEBHOOK_URL", "http://local host"),
        ("SANDBOX_WEBHOOK_SECRET", "c2VjcmV0"),
        ("SANDBOX_WEBHOOK_SECRET", "whsec_="),
        ("SANDBOX_WEBHOOK_SECRET", "whsec_not base64!"),
        ("SANDBOX_WEBHOOK_SECRET", "whsec_ключ"),
        ("SANDBOX_REDIRECTS", "2"),
        ("SANDBOX_WRONG_PASSWORD_STATUS", "PASSWORD_WRONG"),
    ],
)
def test_a_wrong_value_stops_the_start_naming_the_variable_and_not_the_value(variable: str, value: str) -> None:
    with pytest.raises(BadSandboxSettings) as refused:
        read({variable: value})
    assert variable in str(refused.value)
    assert value not in str(refused.value)


@pytest.mark.parametrize(("word", "is_on"), [("on", True), ("1", True), ("True", True), ("off", False), ("0", False)])
def test_redirects_are_switched_by_the_words_of_the_services_own_switches(word: str, *, is_on: bool) -> None:
    assert read({"SANDBOX_REDIRECTS": word}).redirects is is_on


def test_every_wrong_variable_is_named_at_once() -> None:
    with pytest.raises(BadSandboxSettings) as refused:
        read({"SANDBOX_DATA_DELAY": "x", "SANDBOX_REDIRECTS": "x"})
    assert all(name in str(refused.value) for name in ("SANDBOX_DATA_DELAY", "SANDBOX_REDIRECTS"))


def test_secrets_are_not_shown() -> None:
    shown = repr(read({"SANDBOX_API_KEY": "hidden-key", "SANDBOX_WEBHOOK_SECRET": SECRET}))
    assert "hidden-key" not in shown
    assert SECRET not in shown


@given(st.dictionaries(st.sampled_from(sorted(VARIABLES)), st.text()))
def test_any_environment_is_read_or_refused(environ: dict[str, str]) -> None:
    try:
        assert isinstance(read(environ), SandboxSettings)
    except BadSandboxSettings as refused:
        assert str(refused)  # noqa: PT017 - either outcome is right


def test_every_variable_is_read() -> None:
    environ = {
        "SANDBOX_API_KEY": "another-key",
        "SANDBOX_PUBLIC_URL": "https://sandbox.example.com:8443/",
        "SANDBOX_DATA_DIR": "data/sandbox",
        "SANDBOX_DATA_DELAY": "0.5",
        "SANDBOX_SEED": "42",
        "SANDBOX_WEBHOOK_URL": "http://localhost:8000/webhooks/nectar",
        "SANDBOX_WEBHOOK_SECRET": SECRET,
        "SANDBOX_REDIRECTS": "1",
        "SANDBOX_WRONG_PASSWORD_STATUS": "PASSWORD_INCORRECT",
    }
    assert set(environ) == set(VARIABLES)
    assert read(environ) == SandboxSettings(
        api_key="another-key",
        public_url="https://sandbox.example.com:8443",
        data_dir=Path("data/sandbox"),
        data_delay_seconds=0.5,
        seed="42",
        webhook_url="http://localhost:8000/webhooks/nectar",
        webhook_secret=SECRET,
        redirects=True,
        wrong_password_status="PASSWORD_INCORRECT",
    )


def test_an_empty_variable_counts_as_absent() -> None:
    assert read(dict.fromkeys(VARIABLES, "")) == SandboxSettings()


def test_a_webhook_url_needs_a_secret() -> None:
    with pytest.raises(BadSandboxSettings, match="SANDBOX_WEBHOOK_SECRET"):
        read({"SANDBOX_WEBHOOK_URL": "http://localhost:8000/webhooks/nectar"})
