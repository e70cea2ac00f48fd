"""Every call of the API's description with valid and invalid data, in all orders that its links allow (schemathesis).

The service and the sandbox run beside each other. Users have connected accounts before, so that ids lead somewhere.
"""

import argparse
import asyncio
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.load.load_users import KEY, ORIGIN, LoadUsers
from tests.load.processes import LoadServices, database, running_services

# What no schema can say: whether a text was signed here, an origin is listed, an Idempotency-Key was used before, an
# address is public, a cursor is one of ours, an id or a date is known to the provider.
CONFIG = """
[output.sanitization]
enabled = false

[parameters]
wait = 0

[[operations]]
include-operation-id = [
  "createSession", "reconnect", "verifyResult", "claimConnection", "unclaimConnection",
  "listSessions", "listConnections", "listUsage", "listDocuments", "listEndpoints", "listDeliveries", "userStatus",
  "createEndpoint", "changeEndpoint", "rotateSecret", "testEndpoint", "replayEvents", "replayDelivery",
  "revokeSession", "renewSession",
]
checks.positive_data_acceptance.expected-statuses = [200, 201, 202, 401, 403, 404, 409, 422, 502, 504]

[[operations]]
include-operation-id = ["callback", "confirmCallback", "providerWebhook"]
checks.positive_data_acceptance.expected-statuses = [200, 204, 303, 400, 401, 429]

[[operations]]
include-path-regex = "^/embed/"
checks.positive_data_acceptance.expected-statuses = [200, 204, 403, 404, 409, 410, 429]
parameters = {{ token = {embed!r} }}

[[operations]]
include-path-regex = "^/(connect|live)/"
checks.positive_data_acceptance.expected-statuses = [200, 204, 303, 403, 404, 409, 410, 429]
parameters = {{ token = {connect!r} }}
"""


async def _with_accounts(services: LoadServices) -> dict[str, str]:
    """Start the processes, let users connect accounts, and return the tokens of one more session."""
    await services.start()
    users = LoadUsers([services.workers[0].url], services.sandbox.url, random.Random(1))  # noqa: S311 - no secret
    pressing = asyncio.create_task(users.press(2))
    await users.all_kinds()
    users.stopping = True
    await pressing
    body = {
        "userId": "ada",
        "company": {"externalId": "acme", "name": "Acme"},
        "sites": [{"externalId": "hq", "name": "HQ"}],
        "origin": ORIGIN,
    }
    async with httpx.AsyncClient(base_url=services.workers[0].url, trust_env=False) as host:
        made = (await host.post("/v1/sessions", json=body, headers={"authorization": f"Bearer {KEY}"})).json()
    return {way: made[f"{name}Url"].rpartition("/")[2] for way, name in (("embed", "embed"), ("connect", "redirect"))}


def fuzz(options: Sequence[str]) -> int:
    """Run schemathesis against fresh processes; return its exit code. Raises AssertionError where one ended."""
    with (
        TemporaryDirectory(prefix="magiclink-fuzz-") as folder,
        database("sqlite") as url,
        running_services(url, workers=1, speed=1) as services,
    ):
        tokens = asyncio.run(_with_accounts(services))
        config = Path(folder) / "schemathesis.toml"
        config.write_text(CONFIG.format(**tokens))
        address = f"{services.workers[0].url}/openapi.json"
        command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run", address]
        command += ["--header", f"Authorization: Bearer {KEY}", "--checks", "all", "--continue-on-failure", *options]
        code = subprocess.run(command, cwd=folder, check=False).returncode
        services.require_alive()
        return code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="test cases for each operation")
    parser.add_argument("--seed", type=int, default=None)
    given, others = parser.parse_known_args()
    seed = [] if given.seed is None else ["--seed", str(given.seed)]
    sys.exit(fuzz(["--max-examples", str(given.examples), *seed, *others]))


if __name__ == "__main__":
    main()
