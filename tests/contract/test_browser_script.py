"""`scripts/browser`: a machine that lacks a browser, and cannot install one, fails and says what to install."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "browser"
PROGRAMS = {
    "chromium": "chromium",
    "firefox-esr": "firefox-esr",
    "WebKitWebDriver": "webkit2gtk-driver",
    "Xvfb": "xvfb",
    "nginx": "nginx",
    "caddy": "caddy",
}


def _run(folder: Path, *there: str) -> subprocess.CompletedProcess[str]:
    """On a machine that has these programs and no `apt-get`."""
    for name in there:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if name != "CHROMIUM"} | {
        "PATH": str(folder),
        "SBIN": str(folder),
    }
    return subprocess.run(["/bin/bash", str(SCRIPT)], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("lacking", PROGRAMS)
def test_one_that_is_missing_is_named_and_fails(tmp_path: Path, lacking: str) -> None:
    run = _run(tmp_path, *(PROGRAMS.keys() - {lacking}))
    assert (run.returncode, run.stdout) == (1, "")
    assert PROGRAMS[lacking] in run.stderr
    assert not any(package in run.stderr for name, package in PROGRAMS.items() if name not in {lacking, "chromium"})


def test_with_all_of_them_it_prints_the_path_of_chromium(tmp_path: Path) -> None:
    run = _run(tmp_path, *PROGRAMS)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, str(tmp_path / "chromium"), "")
