"""A session's theme on all of its pages: what it changes, what the host's element may change, and what a page loads."""

import re

import httpx
import pytest

from tests.support.services import HOST_URL, RunningServices, refused
from tests.support.users import FramePage, TopPage, User, check_page

FRAMED = {"Sec-Fetch-Dest": "iframe", "Accept": "text/html"}
LOGO = f"{HOST_URL}/logo.svg"
THEME = {"mode": "dark", "accent": "#66CFB7", "radius": 8, "logoUrl": LOGO, "name": "Meadow & Sons"}
SHEET = re.compile(r'<link rel="stylesheet" data-theme href="(/static/theme-[^"]+)">')


def images_of(answer: httpx.Response) -> str:
    (found,) = re.findall(r"img-src ([^;]+)", answer.headers["content-security-policy"])
    return str(found)


def check_themed(answer: httpx.Response, look: str = "dark-66cfb7-8") -> None:
    assert SHEET.findall(answer.text) == [f"/static/theme-{look}.css"]
    assert images_of(answer) == f"'self' {HOST_URL}"
    assert re.findall(r'<img [^>]*src="([^"]+)"[^>]* referrerpolicy="no-referrer"', answer.text) == [LOGO]
    assert "Meadow &amp; Sons" in answer.text
    assert "/mark.svg" not in answer.text


async def test_a_refused_accent_says_how_well_it_can_be_read(services: RunningServices, ada: User) -> None:
    answer = await services.host.post("/v1/sessions", json=ada.wants(theme={"accent": "#ffff00"}))
    problem = refused(answer, 422, "invalid_request", "/theme/accent")
    assert "1.07:1" in problem["errors"][0]["detail"]


async def test_every_page_of_the_session_has_its_theme(services: RunningServices, ada: User) -> None:
    top = TopPage(services, await ada.session(theme=THEME))
    check_themed(await top.get())  # the button
    await top.press_start()
    check_themed(await top.get())  # the flow
    other = TopPage(services, await ada.session(theme=THEME))
    await other.press_start()
    other.http.cookies.clear()
    check_themed(await other.post("start"))  # the question
    await services.post(f"/v1/sessions/{top.id}/revoke")
    check_themed(await top.get())  # the end
    frame = FramePage(services, await ada.session(theme=THEME))
    check_themed(await frame.http.get(frame.path, headers=FRAMED))


async def test_without_a_theme_no_page_loads_a_sheet_or_an_image_of_others(
    ada: User, services: RunningServices
) -> None:
    page = FramePage(services, await ada.session())
    answer = await page.http.get(page.path, headers=FRAMED)
    check_page(answer, ancestors=HOST_URL)
    assert SHEET.findall(answer.text) == []
    assert images_of(answer) == "'self'"
    assert "<img" not in answer.text


@pytest.mark.parametrize(
    ("own", "look"),
    [
        ("light---", "light-66cfb7-8"),
        ("-7c3aed-0-", "dark-7c3aed-0"),
        ("---light", "dark-66cfb7-8"),  # the session's own mode is not `auto`
        ("auto---light", "light-66cfb7-8"),
        ("blue---", "dark-66cfb7-8"),
        ("dark--8-&name=Mallory&logo_url=https://evil.example", "dark-66cfb7-8"),
    ],
)
async def test_the_hosts_element_changes_the_look_and_never_the_name_or_the_logo(
    services: RunningServices, ada: User, own: str, look: str
) -> None:
    page = FramePage(services, await ada.session(theme=THEME))
    answer = await page.http.get(f"{page.path}?look={own}", headers=FRAMED)
    check_themed(answer, look)
    assert "evil.example" not in answer.text
    assert 'data-look="dark-66cfb7-8"' in answer.text


async def test_a_sheet_is_answered_to_everybody_and_cached(services: RunningServices) -> None:
    web = services.web()
    answer = await web.get("/static/theme-dark-66cfb7-8.css")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "color-scheme: dark" in answer.text
    again = await web.get("/static/theme-dark-66cfb7-8.css", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    for name in ("theme-dark.css", "theme-blue--.css", "theme-dark--99.css", "theme-dark-%0a-8.css"):
        assert (await web.get(f"/static/{name}")).status_code == 404


async def test_pages_around_the_hosts_own_may_be_in_the_frame_policy_only_if_the_session_names_them(
    services: RunningServices, ada: User
) -> None:
    page = FramePage(services, await ada.session(ancestors=[HOST_URL]))
    answer = await page.http.get(page.path, headers=FRAMED)
    assert f"frame-ancestors {HOST_URL} {HOST_URL};" in answer.headers["content-security-policy"]
    assert " data-ancestors" in answer.text
    without = FramePage(services, await ada.session())
    answer = await without.http.get(without.path, headers=FRAMED)
    assert f"frame-ancestors {HOST_URL};" in answer.headers["content-security-policy"]
    assert " data-ancestors" not in answer.text


async def test_ancestors_need_a_page_right_around_ours(services: RunningServices, ada: User) -> None:
    body = ada.wants(ancestors=[HOST_URL])
    body.pop("origin")
    refused(await services.host.post("/v1/sessions", json=body), 422, "invalid_request", "/ancestors")
