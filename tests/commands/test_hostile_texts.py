"""Arguments that are no text, output that cannot be written, texts that would steer a terminal: one line each."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from service.commands import main

NO_TEXT = os.fsdecode(b"\xff")
SETTINGS = {
    "MAGICLINK_SECRET_KEYS": "k" * 32,
    "MAGICLINK_PUBLIC_URL": "http://localhost:8000",
    "MAGICLINK_PROVIDER_API_KEY": "provider-key",
}


@pytest.mark.parametrize(
    "command",
    [
        ["keys", "create", NO_TEXT],
        ["keys", "revoke", NO_TEXT],
        ["sessions", "--user", NO_TEXT],
        ["link", "--user", NO_TEXT, "--company", "acme", "--site", "hq"],
        ["events", "replay", NO_TEXT, "--since", "2h"],
    ],
)
def test_an_argument_that_is_no_text_is_said_in_one_line(command: list[str], tmp_path: Path) -> None:
    env = SETTINGS | {"MAGICLINK_DATABASE_URL": f"sqlite:///{tmp_path / 'magiclink.db'}"}
    assert CliRunner(env=env).invoke(main.main, ["migrate"]).exit_code == 0
    result = CliRunner(env=env).invoke(main.main, command, obj=httpx.MockTransport(lambda _: httpx.Response(200)))
    said = "Error: An argument, or a variable of the environment, is not text in UTF-8.\n"
    assert (result.exit_code, result.stderr) == (1, said)


def test_a_refusal_cannot_steer_the_terminal() -> None:
    problem = {"code": "\x1b[31mbad", "detail": "\x1b]0;title\x07"}
    answers = httpx.MockTransport(lambda _: httpx.Response(400, json=problem))
    result = CliRunner(env=dict.fromkeys(SETTINGS)).invoke(main.main, ["sessions"], obj=answers)
    assert (result.exit_code, result.stderr) == (1, "Error: Refused (?[31mbad): ?]0;title?\n")


@pytest.mark.parametrize("command", [["--help"], ["migrate"]])
def test_output_that_cannot_be_written_is_said_in_one_line(command: list[str], tmp_path: Path) -> None:
    env = os.environ | SETTINGS | {"MAGICLINK_DATABASE_URL": f"sqlite:///{tmp_path / 'magiclink.db'}"}
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "service", *command],
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = "Error: The output cannot be written: No space left on device.\n"
    assert (ended.returncode, ended.stderr) == (1, said)
