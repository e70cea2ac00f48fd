from collections.abc import Mapping
from pathlib import Path

import pytest

import service.sandbox.settings
import service.settings
from service.commands.dev import DevOptions, Ports, complete_environ, stored_secrets
from service.commands.server import CannotStart

KEPT = {
    "secret_key": "s" * 43,
    "webhook_secret": "whsec_b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMhISE=",
    "demo_secret": "d" * 43,
}
PORTS = Ports(service=8000, sandbox=9000, demo=8080)


def settled(
    environ: Mapping[str, str] | None = None, ports: Ports = PORTS, **flags: object
) -> tuple[service.settings.Settings, service.sandbox.settings.SandboxSettings]:
    reported = DevOptions(**flags)  # type: ignore[arg-type]
    folder = reported.data_dir or Path(".magiclink")
    known = complete_environ(reported, environ or {}, ports, folder, KEPT)
    return service.settings.read(known, local=True), service.sandbox.settings.read(known)


def test_nothing_needs_to_be_configured() -> None:
    ours, theirs = settled()
    assert ours.public_url == "http://localhost:8000"
    assert ours.database_url == "sqlite:///.magiclink/magiclink.db"
    assert (ours.provider_url, ours.provider_pages_url) == ("http://127.0.0.1:9000/v2.2", "http://127.0.0.1:9000")
    assert ours.allowed_origins == ("http://127.0.0.1:8080",)
    assert (ours.api_key, ours.provider_api_key, theirs.api_key) == ("dev-key", "sandbox-key", "sandbox-key")
    assert theirs.public_url == "http://127.0.0.1:9000"
    assert theirs.webhook_url == "http://localhost:8000/webhooks/nectar"
    assert ours.provider_webhook_secrets == (theirs.webhook_secret,)
    assert theirs.data_dir == Path(".magiclink/sandbox")
    assert theirs.data_delay_seconds == 5


def test_flags_move_everything_that_hangs_on_them() -> None:
    ports = Ports(service=8001, sandbox=9001, demo=8081)
    ours, theirs = settled(
        None, ports, port=8001, sandbox_port=9001, host_port=8081, data_dir=Path("elsewhere"), data_delay=0.5
    )
    assert ours.public_url == "http://localhost:8001"
    assert ours.provider_url == "http://127.0.0.1:9001/v2.2"
    assert ours.database_url == "sqlite:///elsewhere/magiclink.db"
    assert ours.allowed_origins == ("http://127.0.0.1:8081",)
    assert theirs.webhook_url == "http://localhost:8001/webhooks/nectar"
    assert (theirs.data_dir, theirs.data_delay_seconds) == (Path("elsewhere/sandbox"), 0.5)


def test_flags_beat_the_environment() -> None:
    environ = {
        "MAGICLINK_PUBLIC_URL": "https://tunnel.example.com",
        "MAGICLINK_DATABASE_URL": "sqlite:///mine.db",
        "MAGICLINK_PROVIDER_URL": "https://external.nectarclimate.com/v2.2",
        "SANDBOX_DATA_DELAY": "20",
    }
    ours, theirs = settled(environ, port=8000, sandbox_port=9000, data_dir=Path("d"), data_delay=1)
    assert ours.public_url == "http://localhost:8000"
    assert ours.database_url == "sqlite:///d/magiclink.db"
    assert ours.provider_url == "http://127.0.0.1:9000/v2.2"
    assert theirs.data_delay_seconds == 1


def test_the_environment_beats_what_would_be_filled_in() -> None:
    environ = {
        "MAGICLINK_PUBLIC_URL": "https://tunnel.example.com",
        "MAGICLINK_API_KEY": "mine",
        "SANDBOX_API_KEY": "theirs",
        "SANDBOX_REDIRECTS": "1",
        "MAGICLINK_LINK": "",
    }
    ours, theirs = settled(environ)
    assert (ours.public_url, ours.api_key) == ("https://tunnel.example.com", "mine")
    assert (ours.provider_api_key, theirs.api_key) == ("theirs", "theirs")
    assert theirs.redirects


def test_further_host_apps_are_added_to_the_demo() -> None:
    environ = {"MAGICLINK_ALLOWED_ORIGINS": "https://a.example.com"}
    ours, _ = settled(environ, origins=("http://127.0.0.1:5173",))
    assert ours.allowed_origins == ("http://127.0.0.1:8080", "http://127.0.0.1:5173", "https://a.example.com")


def test_a_secret_from_a_file_is_left_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file")
    ours, _ = settled({"MAGICLINK_API_KEY_FILE": str(tmp_path / "key")})
    assert ours.api_key == "from-a-file"


def test_a_flag_beats_a_file_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://elsewhere/magiclink")
    environ = {"MAGICLINK_DATABASE_URL_FILE": str(tmp_path / "url")}
    ours, _ = settled(environ, data_dir=Path("d"))
    assert ours.database_url == "sqlite:///d/magiclink.db"
    assert settled(environ)[0].database_url == "postgresql://elsewhere/magiclink"


def test_secrets_are_made_once_for_nobody_else_to_read(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = stored_secrets(folder)
    assert stored_secrets(folder) == first
    assert stored_secrets(tmp_path / "other") != first
    assert (folder / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(set(first.values())) == 3


@pytest.mark.parametrize("content", ["", "{}", "[]", "no json", '{"secret_key": 1}'])
def test_secrets_that_cannot_be_read_are_said_and_not_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(CannotStart, match="--data-dir"):
        stored_secrets(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == content


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="--data-dir"):
        stored_secrets(tmp_path / "file")


def test_a_folder_that_is_already_in_use_keeps_what_its_git_ignores(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("node_modules/\n")
    stored_secrets(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "node_modules/\n"
