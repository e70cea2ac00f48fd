"""`magiclink dev` as a newcomer meets it: one process, three origins, data that survives."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from service.commands import main

END_SECONDS = 10
SESSION = {
    "userId": "ada",
    "company": {"externalId": "acme", "name": "Acme Ltd"},
    "sites": [{"externalId": "hq", "name": "Headquarters", "address": "123 Main St, San Francisco, CA 94105"}],
}


class DevProcess:
    """A running `magiclink dev` and its three addresses, as it printed them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        assert process.stdout is not None
        for line in process.stdout:
            self.said += line
            if "Ctrl-C" in line:
                break
        self.demo, self.service, self.sandbox = re.findall(r"(http://\S+)", self.said)
        self.api = httpx.Client(base_url=self.service, headers={"Authorization": "Bearer dev-key"}, timeout=10)

    def stop(self) -> int:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(END_SECONDS)


@contextmanager
def magiclink_dev(folder: Path, *options: str) -> Iterator[DevProcess]:
    command = [sys.executable, "-m", "service", "dev", "--port", "0", "--sandbox-port", "0", "--host-port", "0"]
    command += ["--data-dir", str(folder), *options]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAGICLINK_", "SANDBOX_"))}
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root, env=environ
    ) as process:
        try:
            services = DevProcess(process)
            yield services
            services.api.close()
        finally:
            process.kill()


def wait_for_link(services: DevProcess, session_id: str) -> dict[str, object]:
    for _ in range(100):
        session: dict[str, object] = services.api.get(f"/v1/sessions/{session_id}").raise_for_status().json()
        link = session["link"]
        assert isinstance(link, dict)
        if link["status"] != "pending":
            return session
        time.sleep(0.1)
    pytest.fail("no link was made")


def test_three_servers_run_and_their_data_survives_a_restart(tmp_path: Path) -> None:
    with magiclink_dev(tmp_path / "data") as services:
        assert "dev-key" in services.said
        for url in (services.demo, services.service, services.sandbox):
            assert httpx.get(f"{url}/readyz").status_code == 200, url
        created = services.api.post("/v1/sessions", json=SESSION)
        assert created.status_code == 201, created.text
        session = wait_for_link(services, created.json()["id"])
        assert session["link"] == {"kind": "invitation", "status": "ready"}
        assert services.stop() == 0

    with magiclink_dev(tmp_path / "data") as services:
        again = services.api.get(f"/v1/sessions/{session['id']}")
        assert again.status_code == 200
        assert again.json()["company"] == session["company"]
        companies = httpx.get(f"{services.sandbox}/v2.2/company", headers={"X-API-Key": "sandbox-key"}).json()
        assert [company["externalId"] for company in companies] != []
        assert services.stop() == 0


def wait_for_call(services: DevProcess, call: str) -> None:
    """Until the sandbox has answered a call of the service to this path."""
    for _ in range(200):
        if call in [entry["path"] for entry in httpx.get(f"{services.sandbox}/_control/requests").json()["requests"]]:
            return
        time.sleep(0.05)
    pytest.fail(f"{call} was never called")


def test_what_is_asked_of_the_sandbox_when_ctrl_c_comes_is_answered_before_all_end(tmp_path: Path) -> None:
    with magiclink_dev(tmp_path) as services:
        httpx.put(f"{services.sandbox}/_control/troubles/slow", json={"seconds": 0.3}).raise_for_status()
        services.api.post("/v1/sessions", json=SESSION).raise_for_status()
        wait_for_call(services, "/v2.2/company")  # of several, one after the other
        assert services.stop() == 0
        with closing(sqlite3.connect(tmp_path / "magiclink.db")) as file:
            reported = [kind for (kind,) in file.execute("SELECT type FROM events ORDER BY seq")]
    assert reported == ["session.created", "session.link_ready"]


def test_a_person_signs_in_to_the_demo_and_is_sent_to_the_service(tmp_path: Path) -> None:
    with magiclink_dev(tmp_path) as services, httpx.Client(base_url=services.demo) as browser:
        browser.post("/sign-in", data={"person": "ada"})
        page = browser.get("/")
        assert "No accounts yet" in page.text
        assert f"{services.service}/embed.js" in page.text
        embedded = browser.post("/utilities/connect", headers={"accept": "application/json"}).json()
        assert embedded["embedUrl"].startswith(f"{services.service}/embed/")
        redirected = browser.post("/utilities/connect", data={"way": "redirect"})
        assert redirected.headers["location"].startswith(f"{services.service}/connect/")
        assert httpx.get(redirected.headers["location"]).status_code == 200


def test_a_further_host_app_is_allowed(tmp_path: Path) -> None:
    with magiclink_dev(tmp_path, "--allow-origin", "http://127.0.0.1:5173") as services:
        allowed = services.api.post("/v1/sessions", json={**SESSION, "origin": "http://127.0.0.1:5173"})
        refused = services.api.post("/v1/sessions", json={**SESSION, "origin": "http://127.0.0.1:5174"})
    assert (allowed.status_code, refused.status_code) == (201, 422)


def test_the_doctor_finds_the_services_healthy(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'another.db'}"
    with magiclink_dev(tmp_path / "data") as services:
        environ = {
            "MAGICLINK_SECRET_KEYS": "k" * 32,
            "MAGICLINK_PUBLIC_URL": services.service,
            "MAGICLINK_PROVIDER_URL": f"{services.sandbox}/v2.2",
            "MAGICLINK_PROVIDER_API_KEY": "sandbox-key",
            "MAGICLINK_DATABASE_URL": database,
        }
        shell = CliRunner(env=environ)
        assert shell.invoke(main.main, ["migrate"]).exit_code == 0
        sound = shell.invoke(main.main, ["doctor"])
        refused = shell.invoke(main.main, ["doctor", "--json"], env={"MAGICLINK_PROVIDER_API_KEY": "another"})
    assert (sound.exit_code, refused.exit_code) == (0, 1)
    assert "accepts the key" in sound.stdout
    assert "MAGICLINK_PROVIDER_API_KEY" in refused.stdout


def test_a_link_is_created_and_read_from_the_shell(tmp_path: Path) -> None:
    with magiclink_dev(tmp_path) as services:
        shell = CliRunner(env={"MAGICLINK_PUBLIC_URL": services.service, "MAGICLINK_API_KEY": "dev-key"})
        made = shell.invoke(main.main, ["link", "--user", "ada", "--company", "acme=Acme Ltd", "--site", "hq=HQ"])
        assert made.stdout.startswith(f"{services.service}/connect/")
        assert " ada " in shell.invoke(main.main, ["sessions"]).stdout
        assert "session.created" in shell.invoke(main.main, ["events"]).stdout
        assert shell.invoke(main.main, ["connections"]).stderr == "No connections.\n"
        refused = shell.invoke(main.main, ["sessions", "--status", "dancing"])
    assert refused.stderr.startswith("Error: Refused (invalid_request): /status")
