"""The three servers in this process, as the commands start them."""

import json
import logging
import os
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from service.commands import dev, main, serve, serve_sandbox
from service.commands.dev import DevOptions
from service.commands.server import CannotStart
from service.sandbox.world.rows import SandboxDatabase

ANYWHERE = ["--port", "0"]
ANY_PORTS = [*ANYWHERE, "--sandbox-port", "0", "--host-port", "0"]
SETTINGS = {
    "MAGICLINK_SECRET_KEYS": "k" * 32,
    "MAGICLINK_PUBLIC_URL": "http://localhost:8000",
    "MAGICLINK_PROVIDER_API_KEY": "provider-key",
    "MAGICLINK_PROVIDER_URL": "http://127.0.0.1:9/v2.2",
}


def leave(_said: str) -> None:
    """What a person who has seen enough does."""
    os.kill(os.getpid(), signal.SIGINT)


def once(said: list[str]) -> Callable[[str], None]:
    """Keeps what was said, and leaves."""

    def receive(line: str) -> None:
        said.append(line)
        leave(line)

    return receive


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return SETTINGS | {"MAGICLINK_DATABASE_URL": f"sqlite:///{tmp_path / 'magiclink.db'}"}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


def test_dev_greets_once_all_three_stand_and_opens_the_demo(tmp_path: Path) -> None:
    said: list[str] = []
    opened: list[str] = []

    def open_page(url: str) -> None:
        opened.append(url)
        leave(url)

    dev.dev(DevOptions(port=0, sandbox_port=0, host_port=0, data_dir=tmp_path), {}, said.append, open_page)
    assert len(said) == 1
    assert opened[0] in said[0]
    assert "dev-key" in said[0]


@pytest.mark.parametrize("option", ["port", "sandbox_port", "host_port"])
def test_dev_says_which_option_moves_it_from_a_port_that_is_taken(tmp_path: Path, taken: int, option: str) -> None:
    ports = {"port": 0, "sandbox_port": 0, "host_port": 0, option: taken}
    with pytest.raises(CannotStart, match=f"--{option.replace('_', '-')}"):
        dev.dev(DevOptions(**ports, data_dir=tmp_path), {}, leave, None)  # type: ignore[arg-type]


def test_the_service_stands_alone(environ: dict[str, str]) -> None:
    said: list[str] = []
    serve.serve(environ, None, 0, once(said))
    assert "127.0.0.1:" in said[0]
    assert "http://localhost:8000" in said[0]


def test_the_service_writes_json_lines_without_its_secrets(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def speak(line: str) -> None:
        logging.getLogger("service").info("%s %s", environ["MAGICLINK_SECRET_KEYS"], "provider-key")
        leave(line)

    serve.serve(environ, None, 0, speak)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert "… …" in [line["message"] for line in lines]


def test_a_platform_that_gives_a_port_reaches_us_from_outside(environ: dict[str, str]) -> None:
    said: list[str] = []
    serve.serve(environ | {"PORT": "0"}, None, 0, once(said))
    assert "0.0.0.0:" in said[0]


def test_the_sandbox_stands_alone() -> None:
    said: list[str] = []
    serve_sandbox.serve({}, "localhost", 0, once(said))
    assert "http://127.0.0.1:9000" in said[0]


def test_a_data_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="SANDBOX_DATA_DIR"):
        serve_sandbox.serve({"SANDBOX_DATA_DIR": str(tmp_path / "file" / "data")}, None, 0, leave)


def no_database(path: Path) -> None:
    path.write_bytes(b"no database at all")


def of_a_newer_version(path: Path) -> None:
    SandboxDatabase(path.parent).write("Company", {"id": "1", "newer": 1})


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (no_database, "file is not a database"),
        (Path.mkdir, "unable to open database file"),
        (of_a_newer_version, "it has a Company that this version cannot read"),
    ],
)
@pytest.mark.parametrize("command", ["sandbox", "dev"])
def test_a_file_of_the_sandbox_that_cannot_be_used_is_said_in_one_line(
    command: str, make: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    (tmp_path / "sandbox").mkdir()
    make(tmp_path / "sandbox" / "sandbox.db")
    options = [*ANY_PORTS, "--data-dir", str(tmp_path)] if command == "dev" else ANYWHERE
    env = dict.fromkeys(SETTINGS) | {"SANDBOX_DATA_DIR": str(tmp_path / "sandbox")}
    result = CliRunner(env=env).invoke(main.main, [command, *options])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: SANDBOX_DATA_DIR {tmp_path / 'sandbox'} cannot be used: {why}. Choose")
    assert len(result.stderr.splitlines()) == 1


def test_settings_of_the_sandbox_that_are_wrong_are_named() -> None:
    with pytest.raises(CannotStart, match="SANDBOX_DATA_DELAY"):
        serve_sandbox.serve({"SANDBOX_DATA_DELAY": "soon"}, None, 0, leave)


def test_a_database_that_cannot_be_opened_stops_the_start_in_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    environ["MAGICLINK_DATABASE_URL"] = f"sqlite:///{tmp_path / 'nowhere' / 'magiclink.db'}"
    result = CliRunner(env=environ).invoke(main.main, ["serve", *ANYWHERE])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database cannot be used: [Errno 2] No such file or directory")
    assert result.stderr.count("\n") == 1


def test_a_database_of_a_newer_version_stops_every_command_in_one_line(environ: dict[str, str]) -> None:
    shell = CliRunner(env=environ)
    assert shell.invoke(main.main, ["migrate"]).exit_code == 0
    path = environ["MAGICLINK_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("INSERT INTO schema_version VALUES (9999, 1)")
    for command in (["serve", *ANYWHERE], ["migrate"], ["keys", "list"]):
        result = shell.invoke(main.main, command)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: The database is at schema 9999, of a newer magiclink; ")
        assert len(result.stderr.splitlines()) == 1


def test_commands_without_settings_name_the_variables() -> None:
    cleared: dict[str, str | None] = dict.fromkeys(SETTINGS)
    for command in (["serve", *ANYWHERE], ["migrate"], ["keys", "list"], ["doctor"]):
        result = CliRunner(env=cleared).invoke(main.main, command)
        assert result.exit_code == 1
        assert "MAGICLINK_SECRET_KEYS is missing" in result.stderr


def test_keys_are_made_listed_and_revoked_from_the_shell(environ: dict[str, str]) -> None:
    shell = CliRunner(env=environ)
    assert "applied" in shell.invoke(main.main, ["migrate"]).stdout
    assert shell.invoke(main.main, ["migrate"]).stdout == "Nothing to do.\n"
    assert shell.invoke(main.main, ["keys", "list"]).stderr == "No keys.\n"
    key = shell.invoke(main.main, ["keys", "create", "backend"]).stdout.strip()
    listed = shell.invoke(main.main, ["keys", "list"]).stdout
    assert "backend" in listed
    assert key not in listed
    key_id = listed.splitlines()[1].split()[0]
    assert shell.invoke(main.main, ["keys", "revoke", key_id]).exit_code == 0
    again = shell.invoke(main.main, ["keys", "revoke", "key_unknown"])
    assert (again.exit_code, "There is no API key" in again.stderr) == (1, True)


def test_the_doctor_fails_where_the_provider_cannot_be_reached(environ: dict[str, str]) -> None:
    result = CliRunner(env=environ).invoke(main.main, ["doctor"])
    assert result.exit_code == 1
    assert "MAGICLINK_PROVIDER_URL" in result.stdout
    assert "magiclink migrate" in result.stdout


@pytest.mark.parametrize("command", [["dev", *ANY_PORTS], ["sandbox", *ANYWHERE]])
def test_a_command_runs_until_it_is_interrupted(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(click, "echo", leave)
    assert CliRunner(env=dict.fromkeys(SETTINGS)).invoke(main.main, command).exit_code == 0
