"""What people install is the wheel: built from the source archive, put into its own environment, and run there."""

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from threading import Timer

import httpx
import pytest

from service import __version__

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
SHIPPED_BESIDE_CODE = {".html", ".css", ".js", ".svg", ".png", ".sql", ".json", ".txt", ".ico", ".woff2"}


# This checkout out of sight: no path to it, no active environment, no setting of its developer's.
OURS = ("PYTHON", "VIRTUAL_ENV", "MAGICLINK_", "SANDBOX_")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run(UV, "build", "--quiet", "--python", sys.executable, "--out-dir", str(folder), str(ROOT), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands in an environment with the wheel, what it asks for, and nothing else."""
    home = tmp_path_factory.mktemp("installed")
    _run(UV, "export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--project", str(ROOT),
         "--output-file", str(home / "constraints.txt"), cwd=home)  # fmt: skip
    _run(UV, "venv", "--quiet", "--python", sys.executable, str(home / "venv"), cwd=home)
    python = str(home / "venv/bin/python")
    _run(UV, "pip", "install", "--quiet", "--python", python, "--constraint", "constraints.txt", str(wheel), cwd=home)
    return home / "venv" / "bin"


def test_the_wheel_holds_every_template_and_every_file_beside_the_code(wheel: Path) -> None:
    beside = {path for path in (ROOT / "service").rglob("*") if path.suffix in SHIPPED_BESIDE_CODE}
    expected = {path.relative_to(ROOT).as_posix() for path in beside}
    templates = {path for path in (ROOT / "templates").rglob("*") if path.is_file()}
    expected |= {f"service/{path.relative_to(ROOT).as_posix()}" for path in templates}
    assert templates
    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_wheel_holds_nothing_of_the_tests(wheel: Path) -> None:
    top = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert top == {"service", f"magiclink-{__version__}.dist-info"}


def test_the_installed_command_prints_its_help(installed: Path, tmp_path: Path) -> None:
    said = _run(str(installed / "magiclink"), "--help", cwd=tmp_path)
    for command in (
        "dev",
        "serve",
        "sandbox",
        "migrate",
        "link",
        "sessions",
        "connections",
        "events",
        "keys",
        "doctor",
    ):
        assert f"\n  {command} " in said


def test_the_module_runs_too_and_knows_its_version(installed: Path, tmp_path: Path) -> None:
    assert __version__ in _run(str(installed / "python"), "-m", "service", "--version", cwd=tmp_path)


def test_nothing_of_the_development_tools_is_needed(installed: Path, tmp_path: Path) -> None:
    said = _run(UV, "pip", "list", "--format", "json", "--python", str(installed / "python"), cwd=tmp_path)
    names = {package["name"] for package in json.loads(said)}
    assert {"magiclink", "starlette"} <= names
    assert not names & {"pytest", "mypy", "ruff", "playwright", "psycopg"}


def test_the_installed_command_runs_all_three_apps_and_stops_when_asked(installed: Path, tmp_path: Path) -> None:
    ports = ("--port", "0", "--sandbox-port", "0", "--host-port", "0")
    command = [str(installed / "magiclink"), "dev", *ports, "--data-dir", str(tmp_path / "data")]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = Timer(60, running.kill)
    deadline.start()
    try:
        urls = _urls_said(running)
        answers = [httpx.get(f"{url}/readyz").status_code for url in urls.values()]
        page = httpx.get(urls["Demo host app"], follow_redirects=True)
        script = httpx.get(f"{urls['Service']}/embed.js")
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate()
    finally:
        deadline.cancel()
        running.kill()
    assert answers == [200, 200, 200]
    assert (page.status_code, script.status_code) == (200, 200)
    assert running.returncode == 0, said


def _urls_said(running: subprocess.Popen[str]) -> dict[str, str]:
    """Reads what the command prints until it is ready."""
    said = ""
    for line in running.stdout or ():
        said += line
        if "Ctrl-C" in line:
            return dict(re.findall(r"^  (\w[\w ]*?)  +(http://\S+)", said, re.MULTILINE))
    raise AssertionError(said)
