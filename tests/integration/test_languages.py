"""The language of each page: the host's element, then the session, then the browser, then English."""

import re

import httpx
import pytest

from service.domain.status_words import words_for
from service.web.languages import languages
from tests.support.connection_steps import broken
from tests.support.services import HOST_URL, RunningServices
from tests.support.shown_text import shown_text
from tests.support.users import NAVIGATION, SCRIPT, FramePage, TopPage, User, check_page

FRAMED = {"Sec-Fetch-Dest": "iframe", "Accept": "text/html"}
FRENCH_BROWSER = {"Accept-Language": "fr-CA,fr;q=0.9,en;q=0.8"}
FRENCH = languages()["fr"]
HINTED = {"prefill": {"url": "https://www.coned.com/login"}}


def language_of(answer: httpx.Response) -> str:
    """The language that the page says that it has, and its headers say the same."""
    (lang,) = re.findall(r'<html lang="([^"]+)">', answer.text)
    assert answer.headers["content-language"] == lang
    assert "accept-language" in answer.headers["vary"].lower()
    return str(lang)


@pytest.mark.parametrize(
    ("element", "session", "browser", "language"),
    [
        (None, None, "", "en"),
        (None, None, "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        (None, None, "de, es;q=0.4, en;q=0.3", "es"),
        (None, "en", "fr", "en"),  # English that the host gave is not English that nobody gave
        (None, "es-419", "fr", "es"),
        (None, "de", "fr", "fr"),
        (None, "de", "de", "en"),
        ("fr", "es", "en", "fr"),
        ("fr_CA", "es", "en", "fr"),
        ("de", "es", "en", "es"),
        ("", "es", "en", "es"),
        ("%3Cscript%3E", None, "fr", "fr"),
        ("fr" + "-a" * 4000, None, "en", "fr"),
        (None, None, "\xff\xfe;q=x," * 500 + "fr", "en"),
    ],
)
async def test_the_frames_page_has_the_first_language_that_there_is(
    services: RunningServices, ada: User, element: str | None, session: str | None, browser: str, language: str
) -> None:
    page = FramePage(services, await ada.session(locale=session))
    query = f"?locale={element}" if element is not None else ""
    headers = [
        (name.encode(), value.encode("latin-1")) for name, value in (FRAMED | {"Accept-Language": browser}).items()
    ]
    answer = await page.http.get(page.path + query, headers=headers)
    check_page(answer, ancestors=HOST_URL)
    assert language_of(answer) == language
    assert "<script>" not in answer.text


async def test_a_query_that_is_refused_is_refused_in_the_sessions_language_or_else_in_the_browsers(
    services: RunningServices, ada: User
) -> None:
    page = TopPage(services, await ada.session(locale="es"))
    fields = "&".join(f"f{number}=1" for number in range(60))
    for path, status, language in ((page.path, 422, "es"), (f"{page.path}x", 404, "fr")):
        answer = await page.get(f"{path}?{fields}", **FRENCH_BROWSER)
        assert (answer.status_code, language_of(answer)) == (status, language)


async def test_the_whole_redirect_flow_is_in_the_sessions_language(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session(locale="fr-FR", returnUrl=None))
    before = await page.get()
    await page.press_start()
    started = await page.get()
    await page.connect()
    done = await page.finish()
    for answer in (before, started, done):
        assert language_of(answer) == "fr"
    assert "Connecter un compte de services publics" in shown_text(before.text)
    assert FRENCH.say("I have finished") in shown_text(started.text)
    assert FRENCH.say("Your account is connected.") in shown_text(done.text)
    other = TopPage(services, page.session)
    assert language_of(await other.get(**{"Accept-Language": "es"})) == "fr"


async def test_questions_and_ends_are_in_the_sessions_language(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session(locale="fr"))
    await page.press_start()
    page.http.cookies.clear()
    asked = await page.post("start")
    assert (asked.status_code, language_of(asked)) == (409, "fr")
    await services.post(f"/v1/sessions/{page.id}/revoke")
    ended = await page.get()
    assert (ended.status_code, language_of(ended)) == (410, "fr")


async def test_where_no_session_is_known_the_browser_decides(services: RunningServices) -> None:
    web = services.web()
    for path, headers in (
        ("/connect/unknown", NAVIGATION),
        ("/embed/unknown", NAVIGATION),  # at top level: please open this in your app
        ("/embed/unknown", FRAMED),
        ("/handoff/unknown", NAVIGATION),
        ("/callback?state=unknown", NAVIGATION),
        ("/status/unknown", FRAMED),
        ("/nowhere", NAVIGATION),
    ):
        assert language_of(await web.get(path, headers=headers | FRENCH_BROWSER)) == "fr", path
        assert language_of(await web.get(path, headers=headers)) == "en", path
    assert language_of(await web.get("/embed/unknown?locale=es", headers=FRAMED | FRENCH_BROWSER)) == "es"


async def test_the_status_page_has_its_elements_language_then_the_browsers(
    services: RunningServices, ada: User
) -> None:
    await ada.connected(locale="es")
    url = (await services.get("/v1/users/ada/status", origin=HOST_URL))["statusUrl"]
    answer = await services.web().get(f"{url}?locale=fr-CA", headers=FRAMED)
    assert language_of(answer) == "fr"
    assert FRENCH.say("Connected") in shown_text(answer.text)
    assert language_of(await services.web().get(url, headers=FRAMED | FRENCH_BROWSER)) == "fr"
    assert language_of(await services.web().get(url, headers=FRAMED)) == "en"


async def test_the_other_devices_page_has_the_sessions_language(services: RunningServices, ada: User) -> None:
    page = await ada.frame(locale="es")
    offered = (await page.post("handoff")).json()
    answer = await services.web().get(offered["url"], headers=NAVIGATION | FRENCH_BROWSER)
    assert language_of(answer) == "es"


async def test_what_the_pages_script_receives_is_in_the_language_of_its_page(
    services: RunningServices, ada: User
) -> None:
    page = FramePage(services, await ada.session(locale="es", **HINTED))
    hints = {}
    for code in ("en", "fr"):
        answer = await page.post("start", {"takeOver": True}, **{"Accept-Language": code})
        page.key = answer.json()["pageKey"]
        polled = await page.http.get(page.live, headers=SCRIPT | {"X-Page-Key": page.key, "Accept-Language": code})
        (hints[code],) = answer.json()["view"]["hints"]
        assert polled.json()["hints"] == [hints[code]]
    assert "security questions" in hints["en"]["needed"]
    assert hints["fr"]["needed"] == FRENCH.say(hints["en"]["needed"]) != hints["en"]["needed"]


async def test_a_reconnects_page_says_in_french_what_helps(services: RunningServices, ada: User) -> None:
    made = await services.post(f"/v1/connections/{(await broken(ada))['id']}/reconnect", {"locale": "fr"})
    await services.drain()
    answer = await TopPage(services, made).get()
    shown, words = shown_text(answer.text), words_for("PASSWORD_INCORRECT")
    assert language_of(answer) == "fr"
    for sentence in (words.title, words.sentence, words.steps[0].text):
        assert " ".join(FRENCH.say(sentence).split()) in shown
        assert sentence not in shown


async def test_words_in_the_api_stay_english_and_an_export_names_the_language(
    services: RunningServices, ada: User
) -> None:
    made = await ada.connected(locale="fr")
    assert made["words"]["title"] == "Your account is connected."
    await ada.session()
    exported = (await services.get("/v1/users/ada/export"))["sessions"]
    assert sorted(one["locale"] for one in exported) == ["en", "fr"]
    stored = [await services.parts.store.sessions.get(one["id"]) for one in exported]
    assert sorted(one.locale for one in stored) == ["", "fr"]
