"""GET /v1/users/{id}/status and the status page: names and states, for one user, one origin and ten minutes."""

import re
from urllib.parse import quote

import httpx
import pytest

from service.domain.model import Tenant, UserRef
from service.domain.tokens import StatusToken
from service.signing import Signer
from tests.support.clock import Clock
from tests.support.services import HOST_URL, SECRET_KEY, SERVICE_URL, RunningServices, refused
from tests.support.users import WRONG, User, check_page, refused_in_frame, refused_page, screen

FRAMED = {"Accept": "text/html", "Sec-Fetch-Dest": "iframe"}
OTHER_URL = "https://other.example.com"
TITLE = "Your utility accounts"  # of the page, and its heading for screen readers
MEND = re.compile(r'data-mend="([^"]+)"')


async def status_url(services: RunningServices, user_id: str = "ada") -> str:
    return str((await services.get(f"/v1/users/{user_id}/status", origin=HOST_URL))["statusUrl"])


async def page(services: RunningServices, url: str, **headers: str) -> httpx.Response:
    """The page as a frame of the host's page loads it."""
    return await services.web().get(url, headers=FRAMED | headers)


async def ref_of(services: RunningServices, user: User) -> UserRef:
    session = await services.parts.store.sessions.get((await user.session())["id"])
    return session.user


def signed(tenant: str, user: UserRef, at: float, key: str = SECRET_KEY) -> str:
    token = Signer([key]).sign_status_token(StatusToken(Tenant(tenant), user, HOST_URL, int(at)))
    return f"{SERVICE_URL}/status/{token}"


@pytest.mark.parametrize(
    "origin",
    [OTHER_URL, f"{HOST_URL}/", f"{HOST_URL}:444", "http://app.example.com", "https://*.example.com", "*", "null"],
)
async def test_an_origin_that_is_not_listed_gets_no_address(services: RunningServices, ada: User, origin: str) -> None:
    await ada.session()
    answer = await services.host.get("/v1/users/ada/status", params={"origin": origin})
    refused(answer, 422, "invalid_request", "/origin")


async def test_an_app_scheme_frames_nothing(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, allowed_origins=(HOST_URL, "com.example.app:"))
    await services.open()
    await User(services, "ada").session()
    answer = await services.host.get("/v1/users/ada/status", params={"origin": "com.example.app:"})
    refused(answer, 422, "invalid_request", "/origin")
    await services.close()


async def test_what_is_asked_wrongly_is_refused_by_name(services: RunningServices, ada: User) -> None:
    await ada.session()
    refused(await services.web().get("/v1/users/ada/status"), 401, "unauthorized")
    refused(await services.host.get("/v1/users/nobody/status"), 404, "not_found")
    refused(await services.host.post("/v1/users/ada/status"), 405, "method_not_allowed")
    refused(await services.host.get("/v1/users/ada/status?origins=x"), 422, "invalid_request", "/origins")


async def test_another_tenant_learns_nothing(services: RunningServices, ada: User) -> None:
    await ada.connected()
    other = await services.stranger()
    refused(await other.get("/v1/users/ada/status", params={"origin": HOST_URL}), 404, "not_found")


async def test_a_token_for_another_tenant_opens_nothing(services: RunningServices, ada: User) -> None:
    user = await ref_of(services, ada)
    assert (await page(services, signed("default", user, services.clock.now()))).status_code == 200
    refused_in_frame(await page(services, signed("other", user, services.clock.now())), 404, "not_found")


async def test_a_forged_a_cut_off_and_a_foreign_token_open_nothing(services: RunningServices, ada: User) -> None:
    session = await ada.session()
    url = await status_url(services)
    head, _, token = url.rpartition("/")
    wrong = [
        signed("default", await ref_of(services, ada), services.clock.now(), "a-key-that-mallory-made-up-0123456789"),
        *(f"{head}/{token[:size]}" for size in (1, len(token) // 2, len(token) - 1)),
        f"{head}/{token[:-1]}{'A' if token[-1] != 'A' else 'B'}",
        f"{head}/{session['embedUrl'].rpartition('/')[2]}",
        f"{head}/{session['redirectUrl'].rpartition('/')[2]}",
        f"{SERVICE_URL}/embed/{token}",
    ]
    for one in wrong:
        refused_in_frame(await page(services, one), 404, "not_found")
    refused_page(await services.web().get(f"{SERVICE_URL}/connect/{token}"), 404, "not_found")


@pytest.mark.parametrize(("seconds", "status"), [(0, 200), (600, 200), (601, 410), (86400, 410)])
async def test_it_is_shown_for_ten_minutes(services: RunningServices, ada: User, seconds: float, status: int) -> None:
    await ada.connected()
    url = await status_url(services)
    services.clock.advance(seconds)
    answer = await page(services, url)
    assert answer.status_code == status
    check_page(answer, HOST_URL)
    assert ("Nectar" in answer.text) is (status == 200)
    assert ("out of date" in answer.text) is (status == 410)
    assert f'data-seconds-left="{max(600 - int(seconds), 0)}"' in answer.text


async def test_a_token_from_the_future_shows_nothing(services: RunningServices, ada: User) -> None:
    user = await ref_of(services, ada)
    assert (await page(services, signed("default", user, services.clock.now() + 60))).status_code == 200
    assert (await page(services, signed("default", user, services.clock.now() + 62))).status_code == 410


async def test_only_its_origin_may_frame_it_and_at_top_level_it_shows_nothing(
    services: RunningServices, ada: User
) -> None:
    await ada.connected()
    url = await status_url(services)
    framed = await page(services, url)
    check_page(framed, HOST_URL)
    assert framed.headers["cross-origin-resource-policy"] == "cross-origin"
    top = await page(services, url, **{"Sec-Fetch-Dest": "document"})
    check_page(top)
    assert "Nectar" not in top.text
    assert "to see your utility accounts" in top.text


async def test_an_origin_that_is_taken_off_the_list_frames_it_no_more(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url)
    await services.open()
    await User(services, "ada").session()
    url = await status_url(services)
    await services.close()
    services = RunningServices(clock, database_url, allowed_origins=(OTHER_URL,))
    await services.open()
    refused_in_frame(await page(services, url), 404, "not_found")
    await services.close()


async def test_an_erasure_ends_it_also_for_a_new_user_of_the_same_id(services: RunningServices, ada: User) -> None:
    await ada.connected()
    url = await status_url(services)
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    refused_in_frame(await page(services, url), 404, "not_found")
    refused(await services.host.get("/v1/users/ada/status"), 404, "not_found")
    await ada.session()
    refused_in_frame(await page(services, url), 404, "not_found")
    assert "No utility account is connected" in (await page(services, await status_url(services))).text


async def test_it_shows_names_and_states_and_nothing_else_of_the_user(
    services: RunningServices, ada: User, bob: User
) -> None:
    secret = {"userLabel": "Ada Byron", "supportUrl": "https://help.example.com"}
    mine = await ada.connected(**secret, metadata={"plan": "pro"})
    await ada.session(**secret, userEmail="ada@example.com")
    his = await bob.connected()
    url = await status_url(services)
    answer = await page(services, url)
    assert " ".join(screen(answer).text.split()) == f"{TITLE} {TITLE} Nectar Sandbox Utility Connected"
    session = await services.get(f"/v1/sessions/{mine['sessionId']}")
    hidden = [mine["id"], his["id"], mine["sessionId"], session["company"]["id"], "acme", "Acme", "ada", "Ada Byron"]
    hidden += [*secret.values(), "ada@", "pro", "/embed/", "/connect/", "/p/i/", "/live/", url.rpartition("/")[2]]
    assert [one for one in hidden if one in answer.text] == []
    assert "<form" not in answer.text
    assert "<a " not in answer.text


async def test_what_needs_its_user_can_be_mended_and_nothing_else(services: RunningServices, ada: User) -> None:
    works = await ada.connected()
    tried = await ada.frame()
    await tried.connect(WRONG)
    await services.deliver_webhooks()
    (refused_one,) = [one for one in await ada.connections() if one["id"] != works["id"]]
    status = await services.get("/v1/users/ada/status")
    assert {one["id"]: (one["state"], one["needsAttention"]) for one in status["connections"]} == {
        works["id"]: ("working", False),
        refused_one["id"]: ("action_needed", True),
    }
    assert (status["userId"], status["needsAttention"]) == ("ada", True)
    assert (status["statusUrl"], status["expiresAt"]) == (None, None)
    assert MEND.findall((await page(services, await status_url(services))).text) == [refused_one["id"]]


async def test_a_removed_connection_is_not_shown(services: RunningServices, ada: User) -> None:
    made = await ada.connected()
    await services.sandbox.plain("DELETE", f"/_control/connections/{made['id']}")
    for _ in range(48):
        await services.later(3600)
    assert (await services.get(f"/v1/connections/{made['id']}"))["status"] == "REMOVED"
    assert (await services.get("/v1/users/ada/status"))["connections"] == []
    assert made["provider"]["name"] not in (await page(services, await status_url(services))).text


async def test_a_user_id_of_any_letters_has_a_status(services: RunningServices) -> None:
    await User(services, "ada/status").session()
    assert (await services.get(f"/v1/users/{quote('ada/status', safe='')}/status"))["userId"] == "ada/status"


async def test_its_token_is_in_no_log_line_and_its_routes_are_known(
    services: RunningServices, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await ada.session()
    url = await status_url(services)
    await page(services, url)
    await services.web().get("/embed-status.js")
    ours = [vars(record) for record in caplog.records if record.name.startswith("service")]
    routes = [record["answered"].route for record in ours if record["name"] == "service.access"]
    assert routes[-3:] == ["/v1/users/{}/status", "/status/{}", "/embed-status.js"]
    assert url.rpartition("/")[2] not in str(ours)
