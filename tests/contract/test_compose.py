"""The compose file: reachable from this machine only, with keys that are made at its first start."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from service.sandbox import settings as sandbox_settings
from service.settings import read

FILE = Path(__file__).parents[2] / "compose.yaml"
COMPOSED: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]


def made_keys(folder: Path) -> dict[str, str]:
    """What the service `keys` leaves in its volume."""
    _, flag, script = COMPOSED["keys"]["command"]
    subprocess.run([sys.executable, flag, script], cwd=folder, check=True)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_every_port_is_bound_to_this_machine() -> None:
    ports = [port for one in COMPOSED.values() for port in one.get("ports", [])]
    assert len(ports) == 2
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_no_key_is_in_the_file() -> None:
    variables = {name for one in COMPOSED.values() for name in one.get("environment", {})}
    assert [name for name in variables if re.search(r"KEYS?$|SECRETS?$|PASSWORD$|DATABASE_URL$", name)] == []


def test_the_keys_are_made_once_are_different_each_time_and_are_read_by_their_user_only(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, other = made_keys(tmp_path / "a"), made_keys(tmp_path / "b")
    assert made_keys(tmp_path / "a") == first
    assert {name for name in first if first[name] == other[name]} == {"complete"}
    readable = {path.name for path in (tmp_path / "a").iterdir() if path.stat().st_mode & 0o077}
    assert readable == {"database_password"}


def test_the_service_and_the_sandbox_start_with_the_made_keys(tmp_path: Path) -> None:
    keys = made_keys(tmp_path)
    environ = {
        name: value.replace("/keys", str(tmp_path)) for name, value in COMPOSED["service"]["environment"].items()
    }
    settings = read(environ)
    assert settings.api_key == keys["api_key"]
    assert keys["database_password"] in settings.database_url
    given = dict(re.findall(r'(SANDBOX_\w+)="\$\$\(cat /keys/(\w+)\)"', COMPOSED["sandbox"]["command"][2]))
    sandbox = sandbox_settings.read({name: keys[file] for name, file in given.items()})
    assert (sandbox.api_key, sandbox.webhook_secret) == (
        settings.provider_api_key,
        settings.provider_webhook_secrets[0],
    )
