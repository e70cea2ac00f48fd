"""The environment, read once and explained whole."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadSettings
from service.provider import account_of
from service.settings import Settings, read

KEY = "k" * 32
HOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LEAST = {
    "MAGICLINK_SECRET_KEYS": KEY,
    "MAGICLINK_PUBLIC_URL": "https://link.example.com",
    "MAGICLINK_PROVIDER_API_KEY": "provider-key",
}


def refusal(**changes: str) -> str:
    """The message without its first line."""
    with pytest.raises(BadSettings) as caught:
        read(LEAST | {f"MAGICLINK_{name}": value for name, value in changes.items()})
    return str(caught.value).partition("\n")[2]


def reading(**changes: str) -> Settings:
    return read(LEAST | {f"MAGICLINK_{name}": value for name, value in changes.items()})


def test_the_least_environment_gives_the_documented_defaults() -> None:
    assert read(LEAST | {"PATH": "/bin"}) == Settings(
        secret_keys=(KEY,),
        public_url="https://link.example.com",
        provider_api_key="provider-key",
        database_url="sqlite:///magiclink.db",
        provider_url="https://external.nectarclimate.com/v2.2",
        provider_pages_url="https://dash.nectarclimate.com",
        provider_webhook_secrets=(),
        provider_paths="auto",
        allowed_origins=(),
        trusted_proxies=(),
        metrics_key=None,
        api_key=None,
        link="auto",
        provider_redirects=False,
        keep_alive_seconds=75,
        connections_per_address=500,
        retention_days=400,
    )


def test_every_setting_can_be_given() -> None:
    settings = reading(
        SECRET_KEYS=f"{'n' * 32}, {KEY}",
        PUBLIC_URL="http://localhost:8000/",
        DATABASE_URL="postgres://u:p@db/magiclink",
        PROVIDER_URL="http://sandbox:9000/v2.2/",
        PROVIDER_PAGES_URL="http://127.0.0.1:9000",
        PROVIDER_WEBHOOK_SECRETS=f"{HOOK},{HOOK}",
        PROVIDER_PATHS="reference",
        PROVIDER_CALLS="3",
        ALLOWED_ORIGINS="https://App.example.com:443, http://127.0.0.1:8080,com.example.app:,https://app.example.com",
        TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.1",
        METRICS_KEY="m",
        API_KEY="a-key-of-16-char",
        LINK="magic_link",
        PROVIDER_REDIRECTS="On",
        KEEP_ALIVE_SECONDS="120",
        CONNECTIONS_PER_ADDRESS="1",
        RETENTION_DAYS="30",
    )
    assert settings.secret_keys == ("n" * 32, KEY)
    assert settings.public_url == "http://localhost:8000"
    assert settings.database_url == "postgresql://u:p@db/magiclink"
    assert settings.provider_url == "http://sandbox:9000/v2.2"
    assert settings.provider_webhook_secrets == (HOOK, HOOK)
    assert (settings.provider_paths, settings.provider_calls) == ("reference", 3)
    assert settings.allowed_origins == ("https://app.example.com", "http://127.0.0.1:8080", "com.example.app:")
    assert settings.trusted_proxies == ("10.0.0.0/8", "127.0.0.1/32")
    assert (settings.metrics_key, settings.api_key, settings.link) == ("m", "a-key-of-16-char", "magic_link")
    assert settings.provider_redirects is True
    assert (settings.keep_alive_seconds, settings.connections_per_address) == (120, 1)
    assert settings.retention_days == 30


def test_a_database_file_may_be_anywhere() -> None:
    assert reading(DATABASE_URL="sqlite:////var/lib/magiclink.db").database_url == "sqlite:////var/lib/magiclink.db"


def test_nothing_secret_is_in_the_repr() -> None:
    shown = repr(reading(DATABASE_URL="postgresql://u:hunter2@db/x", METRICS_KEY="mmm-key", API_KEY="aaa-key-aaa-key-"))
    assert not [s for s in (KEY, "hunter2", "mmm-key", "aaa-key", "provider-key") if s in shown]
    assert "https://link.example.com" in shown


def test_everything_missing_is_said_at_once() -> None:
    with pytest.raises(BadSettings) as caught:
        read({})
    for name in ("MAGICLINK_SECRET_KEYS", "MAGICLINK_PUBLIC_URL", "MAGICLINK_PROVIDER_API_KEY"):
        assert f"{name} is missing" in str(caught.value)


def test_during_a_rotation_both_keys_of_the_provider_are_tried_newest_first() -> None:
    assert account_of(reading()).keys == ("provider-key",)
    assert account_of(reading(PROVIDER_API_KEY="", PROVIDER_API_KEYS="new,old")).keys == ("new", "old")
    assert account_of(reading(PROVIDER_API_KEYS="new, provider-key")).keys == ("new", "provider-key")
    assert "MAGICLINK_PROVIDER_API_KEY is missing" in refusal(PROVIDER_API_KEY="")
    assert "new-key" not in repr(reading(PROVIDER_API_KEYS="new-key"))


def test_a_variable_set_to_nothing_is_not_set() -> None:
    assert reading(API_KEY="", ALLOWED_ORIGINS=" ", API_KEY_FILE="").api_key is None
    assert "MAGICLINK_PUBLIC_URL is missing" in refusal(PUBLIC_URL=" ")


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("SECRET_KEYS", "short-key-value", "fewer than 32"),
        ("SECRET_KEYS", f"{KEY},short-key-value", "entry 2"),
        ("SECRET_KEYS", ",", "one or more"),
        ("SECRET_KEYS", f"{KEY},{KEY}", "different"),
        ("PUBLIC_URL", "http://link.example.com", "https"),
        ("PUBLIC_URL", "https://link.example.com/path", "path"),
        ("PUBLIC_URL", "link.example.com", "origin"),
        ("DATABASE_URL", "mysql://hunter2@db/x", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:", "in memory"),
        ("DATABASE_URL", "sqlite:///magiclink.db?mode=ro", "query"),
        ("DATABASE_URL", "postgresql://u:hunter#2@db/x", "# as %23"),
        ("PUBLIC_URL", "http://[::1]:8000", "IPv6"),
        ("PROVIDER_URL", "not a url", "address"),
        ("PROVIDER_URL", "https://[", "address"),
        ("PROVIDER_URL", "https://api.example.com/v2?x=1", "address"),
        ("PROVIDER_URL", "http://api.example.com/v2", "https"),
        ("PROVIDER_URL", "http://8.8.8.8/v2", "https"),
        ("PROVIDER_PAGES_URL", "https://pages.example.com/p", "path"),
        ("PROVIDER_API_KEY", "two words", "header"),
        ("PROVIDER_API_KEY", "clé", "header"),
        ("PROVIDER_API_KEYS", "one,two,three", "one or two"),
        ("PROVIDER_API_KEYS", "same,same", "different"),
        ("PROVIDER_API_KEYS", "one,two words", "entry 2"),
        ("PROVIDER_WEBHOOK_SECRETS", f"{HOOK},MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "entry 2"),
        ("PROVIDER_WEBHOOK_SECRETS", "whsec_not*base64!", "base64"),
        ("PROVIDER_WEBHOOK_SECRETS", "whsec_aGVsbG8=", "guessed"),
        ("PROVIDER_PATHS", "both", "company, reference"),
        ("ALLOWED_ORIGINS", "https://*.example.com", "wildcard"),
        ("ALLOWED_ORIGINS", "https://a.example,https://app.example.com/", "entry 2 ends in a slash"),
        ("ALLOWED_ORIGINS", "https://app.example.com/path", "path"),
        ("ALLOWED_ORIGINS", "javascript:", "origin"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "network"),
        ("TRUSTED_PROXIES", "proxy.example.com", "network"),
        ("METRICS_KEY", "a b", "header"),
        ("API_KEY", "a-key-with-\t-inside", "header"),
        ("API_KEY", "fifteen-letters", "fewer than 16"),
        ("LINK", "both-of-them", "auto, magic_link, invitation"),
        ("PROVIDER_REDIRECTS", "perhaps", "on or off"),
        ("KEEP_ALIVE_SECONDS", "4", "from 5 to 3600"),
        ("KEEP_ALIVE_SECONDS", "3601", "from 5 to 3600"),
        ("KEEP_ALIVE_SECONDS", "75s", "from 5 to 3600"),
        ("CONNECTIONS_PER_ADDRESS", "0", "from 1 to 100000"),
        ("CONNECTIONS_PER_ADDRESS", "-1", "from 1 to 100000"),
        ("CONNECTIONS_PER_ADDRESS", "١٢", "from 1 to 100000"),
        ("PROVIDER_CALLS", "0", "from 1 to 10"),
        ("PROVIDER_CALLS", "11", "from 1 to 10"),
        ("RETENTION_DAYS", "6", "from 7 to 36500"),
        ("RETENTION_DAYS", "99999", "from 7 to 36500"),
        ("RETENTION_DAYS", "a year", "a whole number"),
    ],
)
def test_a_wrong_value_is_explained_and_never_repeated(name: str, value: str, hint: str) -> None:
    message = refusal(**{name: value})
    assert f"MAGICLINK_{name} " in message
    assert hint in message
    assert len(message.splitlines()) == 1
    assert not [part for part in value.split(",") if len(part) > 11 and part in message]


@pytest.mark.parametrize(
    ("name", "value", "hints"),
    [
        (
            "ALLOWED_ORIGINS",
            "https://*.example.com,https://a.example,http://b.example,capacitor://localhost,http://[::1]:1",
            {1: "is a wildcard", 3: "must be https", 4: "use the redirect flow", 5: "is an IPv6 address"},
        ),
        ("SECRET_KEYS", f"short-key-value,{KEY},other-short-key", {1: "fewer than 32", 3: "fewer than 32"}),
        ("PROVIDER_WEBHOOK_SECRETS", f"whsec_*,{HOOK},abc", {1: "base64", 3: "whsec_"}),
        ("TRUSTED_PROXIES", "10.0.0.1/8,10.0.0.0/8,proxy", {1: "network", 3: "network"}),
    ],
)
def test_every_wrong_entry_of_a_list_is_named_with_its_reason(name: str, value: str, hints: dict[int, str]) -> None:
    lines = refusal(**{name: value}).splitlines()
    assert [line.split()[:3] for line in lines] == [[f"MAGICLINK_{name}", "entry", str(number)] for number in hints]
    assert [hint for line, hint in zip(lines, hints.values(), strict=True) if hint not in line] == []


def test_a_byte_order_mark_is_no_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbfa-key-of-16-char\r\n")
    assert reading(API_KEY_FILE=str(tmp_path / "key")).api_key == "a-key-of-16-char"
    assert reading(API_KEY="\ufeffa-key-of-16-char").api_key == "a-key-of-16-char"


@pytest.mark.parametrize("host", ["10.1.2.3", "192.168.1.5", "localhost:9000", "sandbox", "[::1]"])
def test_the_provider_may_be_plain_http_in_a_private_network(host: str) -> None:
    assert reading(PROVIDER_URL=f"http://{host}/v2").provider_url == f"http://{host}/v2"


def test_a_key_that_is_easy_to_type_is_for_development_only() -> None:
    assert read(LEAST | {"MAGICLINK_API_KEY": "dev-key"}, local=True).api_key == "dev-key"
    assert "MAGICLINK_API_KEY has fewer than 16 characters" in refusal(API_KEY="dev-key")


def test_a_misspelt_variable_is_refused_by_name_with_the_right_one() -> None:
    message = refusal(ALLOWED_ORIGIN="https://app.example.com", XYZ="1", LINK_FILE="/x")
    assert "MAGICLINK_ALLOWED_ORIGIN is not a setting; did you mean MAGICLINK_ALLOWED_ORIGINS?" in message
    assert "MAGICLINK_XYZ is not a setting" in message
    assert "MAGICLINK_LINK_FILE is not a setting" in message


def test_what_kubernetes_sets_for_a_service_of_our_name_is_not_a_mistake() -> None:
    names = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8000_TCP", "PORT_8000_TCP_ADDR")
    assert reading(**dict.fromkeys(names, "tcp://10.0.0.1:8000")) == read(LEAST)


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{'n' * 32}\n{KEY}\n")
    (tmp_path / "api").write_text("key-from-a-file-\n")
    environ = {name: value for name, value in LEAST.items() if name != "MAGICLINK_SECRET_KEYS"}
    settings = read(
        environ
        | {"MAGICLINK_SECRET_KEYS_FILE": str(tmp_path / "keys"), "MAGICLINK_API_KEY_FILE": str(tmp_path / "api")}
    )
    assert settings.secret_keys == ("n" * 32, KEY)
    assert settings.api_key == "key-from-a-file-"


def test_a_secret_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    missing = refusal(API_KEY_FILE=str(tmp_path / "missing"))
    assert "MAGICLINK_API_KEY_FILE names a file that cannot be read" in missing
    assert str(tmp_path) not in missing
    assert "MAGICLINK_API_KEY_FILE names an empty file" in refusal(API_KEY_FILE=str(tmp_path / "empty"))
    assert "cannot be read as text" in refusal(API_KEY_FILE=str(tmp_path / "binary"))
    assert "MAGICLINK_API_KEY_FILE and MAGICLINK_API_KEY are both set" in refusal(
        API_KEY="x", API_KEY_FILE=str(tmp_path / "empty")
    )


@given(st.sampled_from(["PUBLIC_URL", "PROVIDER_URL", "ALLOWED_ORIGINS", "PROVIDER_WEBHOOK_SECRETS"]), st.text())
def test_any_text_is_either_a_setting_or_a_bad_one(name: str, value: str) -> None:
    caught = _refused_by_name(name, value)
    assert caught is None or f"MAGICLINK_{name}" in caught


def _refused_by_name(name: str, value: str) -> str | None:
    try:
        reading(**{name: value})
    except BadSettings as exc:
        return str(exc)
    return None
