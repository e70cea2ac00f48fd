"""The guide's lines for nginx and Caddy, in front of `magiclink serve`: streams get through, over HTTP/2 and TLS."""

import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.load.processes import ServerProcess
from tests.support.documents import examples
from tests.support.ports import free_port

NAME = "link.example.com"
KEY, ORIGIN = "proxied-key-0123456789", "https://app.example.com"
PROMISED_SECONDS = 5.0
START_SECONDS = 20.0
SYSTEM_PROGRAMS = "/usr/sbin:/usr/local/sbin"  # not on everybody's PATH


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)  # noqa: TID251 - the proxies read the machine's clock
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "link.pem", folder / "link.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=SYSTEM_PROGRAMS)
    assert found is not None, f"{name} is not here: run `scripts/browser`, which installs it"
    return found


def _changed(text: str, **changes: str) -> str:
    """The guide's lines with this machine's ports and files: each word that is replaced must stand there."""
    for word, instead in changes.items():
        assert word in text, (word, text)
        text = text.replace(word, instead)
    return text


def _nginx(folder: Path, port: int, upstream: str) -> list[str]:
    server, _ = examples("integrate.md", "Proxies")
    certificate, key = _certificate(folder)
    named = {"/etc/ssl/link.example.com.pem": str(certificate), "/etc/ssl/link.example.com.key": str(key)}
    lines = _changed(server, **named, **{"listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "127.0.0.1:8000": upstream})
    program = _program("nginx")
    version = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    if tuple(int(part) for part in version.rpartition("/")[2].split()[0].split(".")) < (1, 25, 1):
        lines = _changed(lines, **{"  http2 on;\n": "", " ssl;": " ssl http2;"})  # as the guide says
    own = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    frame = f"daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{own}{lines}}}\n"
    (folder / "nginx.conf").write_text(frame)
    return [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def _caddy(folder: Path, port: int, upstream: str) -> list[str]:
    _, site = examples("integrate.md", "Proxies")
    certificate, key = _certificate(folder)
    tls = f"{NAME}:{port} {{\n  tls {certificate} {key}\n"
    lines = _changed(site, **{f"{NAME} {{\n": tls, "127.0.0.1:8000": upstream})
    (folder / "Caddyfile").write_text(f"{{\n  admin off\n  auto_https disable_redirects\n}}\n{lines}")
    return [_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


async def _by_its_name(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = NAME


class Proxied:
    """The service as a browser reaches it: by its public name, at the proxy's port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.trust = ssl.create_default_context()
        self.trust.check_hostname = False
        self.trust.verify_mode = ssl.CERT_NONE  # a certificate of this test's own
        self.http = httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{port}",
            headers={"Host": NAME},
            verify=self.trust,
            trust_env=False,
            timeout=15,
            event_hooks={"request": [_by_its_name]},
        )

    async def api(self, path: str, body: object) -> dict[str, str]:
        answer = await self.http.post(path, json=body, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.is_success, answer.text
        found: dict[str, str] = answer.json()
        return found

    async def speaks(self) -> str | None:
        """The protocol that it chooses with a browser that offers both."""
        self.trust.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trust, server_hostname=NAME)
        chosen: str | None = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()
        return chosen


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("proxied")
    settings = {
        "SECRET_KEYS": "k" * 40,
        "PUBLIC_URL": f"https://{NAME}",
        "DATABASE_URL": f"sqlite:///{folder / 'magiclink.db'}",
        "API_KEY": KEY,
        "ALLOWED_ORIGINS": ORIGIN,
        "TRUSTED_PROXIES": "127.0.0.1",
        "PROVIDER_URL": f"http://127.0.0.1:{free_port()}",  # nothing listens there, and no link is needed
        "PROVIDER_PAGES_URL": "http://127.0.0.1:1",
        "PROVIDER_API_KEY": "provider-key",
    }
    process = ServerProcess(
        ["service", "serve"], free_port(), {f"MAGICLINK_{name}": value for name, value in settings.items()}
    )
    process.start()
    try:
        await process.ready()
        yield process
    finally:
        process.close()


@pytest.fixture(params=[_nginx, _caddy], ids=["nginx", "caddy"])
async def proxied(request: pytest.FixtureRequest, service: ServerProcess, tmp_path: Path) -> AsyncIterator[Proxied]:
    make: Callable[[Path, int, str], list[str]] = request.param
    port = free_port()
    command = make(tmp_path, port, urlsplit(service.url).netloc)
    environ = {"HOME": str(tmp_path), "PATH": SYSTEM_PROGRAMS}
    with (tmp_path / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said, env=environ)
    proxy = Proxied(port)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(port):
                assert process.returncode is None, (tmp_path / "said").read_text()
                await asyncio.sleep(0.05)
        yield proxy
    finally:
        await proxy.http.aclose()
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


async def test_it_speaks_http_2_to_browsers(proxied: Proxied) -> None:
    assert await proxied.speaks() == "h2"


async def test_the_policies_of_the_pages_get_through(proxied: Proxied) -> None:
    answer = await proxied.http.get("/embed/unknown", headers={"Accept": "text/html", "Sec-Fetch-Dest": "iframe"})
    assert answer.status_code == 404
    assert "frame-ancestors" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_stream_gets_through_at_once_and_is_not_held_back(proxied: Proxied) -> None:
    body = {
        "userId": "ada",
        "company": {"externalId": "acme", "name": "Acme Ltd"},
        "sites": [{"externalId": "hq", "name": "Headquarters"}],
        "origin": ORIGIN,
    }
    session = await proxied.api("/v1/sessions", body)
    path = urlsplit(session["embedUrl"]).path
    started = await proxied.http.post(f"{path}/start", json={}, headers={"Sec-Fetch-Site": "same-origin"})
    headers = {"Accept": "text/event-stream", "X-Page-Key": started.json()["pageKey"]}
    async with proxied.http.stream("GET", path.replace("/embed/", "/live/"), headers=headers) as stream:
        lines = stream.aiter_lines()
        began = perf_counter()
        assert await _until(lines, "view") is not None
        assert perf_counter() - began < PROMISED_SECONDS
        began = perf_counter()
        await proxied.api(f"/v1/sessions/{session['id']}/revoke", {})
        event = await _until(lines, "session.revoked")
        assert perf_counter() - began < PROMISED_SECONDS
        assert event["view"]["status"] == "revoked"


async def _until(lines: AsyncIterator[str], kind: str) -> dict[str, dict[str, str]]:
    """The data of the stream's next event of this type."""
    async with asyncio.timeout(2 * PROMISED_SECONDS):
        async for line in lines:
            if line == f"event: {kind}":
                found: dict[str, dict[str, str]] = json.loads((await anext(lines)).removeprefix("data: "))
                return found
    raise AssertionError(f"the stream ended before {kind}")
