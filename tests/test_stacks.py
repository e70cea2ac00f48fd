"""A worker process of the tests that ends says where it stood."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENDS = """
import os

def test_that_ends_its_process():
    os.abort()
"""


def test_the_report_of_a_worker_that_crashed_says_where_it_stood(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.support.stacks import report_stacks as pytest_configure\n")
    (tmp_path / "test_ends.py").write_text(ENDS)
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path), "-n", "1"]
    command += ["--max-worker-restart", "0", "-p", "no:schemathesis", "-p", "no:cacheprovider", str(tmp_path)]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'test_ends.py", line 5 in test_that_ends_its_process' in done.stdout
    assert list(tmp_path.glob("stacks-*")) == []
