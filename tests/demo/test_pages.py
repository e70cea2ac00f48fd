import httpx
import pytest

from tests.support.fake_service import (
    CONNECTION_ID,
    KEY,
    OWN_URL,
    PUBLIC_URL,
    URL,
    FakeService,
    connection,
    problem,
    reading,
)

JSON = {"accept": "application/json"}


async def test_an_unknown_kind_of_link_is_refused(ada: httpx.AsyncClient, service: FakeService) -> None:
    answer = await ada.post("/utilities/connect", data={"link": "carrier pigeon"})
    assert answer.status_code == 400
    assert service.asked("/v1/sessions") == []


async def test_somebody_elses_account_cannot_be_reconnected(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.connections = [connection(userId="bob")]
    answer = await ada.post(f"/utilities/{CONNECTION_ID}/reconnect")
    assert answer.status_code == 404
    assert service.asked(f"/v1/connections/{CONNECTION_ID}/reconnect") == []


async def test_a_list_without_an_end_is_not_read_forever(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.answers["/v1/connections"] = httpx.Response(200, json={"data": [], "next": "more"})
    assert (await ada.get("/utilities")).status_code == 200
    assert len(service.requests) == 50


async def test_a_result_that_cannot_be_verified_is_not_believed(ada: httpx.AsyncClient) -> None:
    answer = await ada.get("/utilities/done?status=connected&connectionId=1&sessionId=ses_1&state=forged")
    assert answer.status_code == 400
    assert "is connected" not in answer.text


async def test_a_query_string_without_a_signed_result_is_not_believed(
    ada: httpx.AsyncClient, service: FakeService
) -> None:
    answer = await ada.get("/utilities/done?status=connected")
    assert answer.status_code == 400
    assert service.requests == []


async def test_another_users_result_is_not_believed(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.verdicts["signed", "bob"] = {"status": "connected"}
    assert (await ada.get("/utilities/done?state=signed")).status_code == 400


async def test_a_result_called_invalid_is_not_believed(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.verdicts["signed", "ada"] = {"valid": False, "status": "connected"}
    assert (await ada.get("/utilities/done?state=signed")).status_code == 400


async def test_the_accounts_are_shown_beside_a_result_and_only_there(
    ada: httpx.AsyncClient, service: FakeService
) -> None:
    service.verdicts["signed", "ada"] = {"sessionId": "ses_1", "status": "connected"}
    frame = f'<magic-link-status url="{PUBLIC_URL}/status/token"'
    assert frame in (await ada.get("/utilities/done?state=signed")).text
    (asked,) = service.asked("/v1/users/ada/status")
    assert asked.url.params["origin"] == OWN_URL
    assert frame not in (await ada.get("/utilities/done?state=forged")).text
    service.answers["/status"] = problem(503, "unavailable")
    answer = await ada.get("/utilities/done?state=signed")
    assert (answer.status_code, "magic-link-status" in answer.text) == (200, False)


async def test_a_service_that_is_down_does_not_call_a_result_forged(
    ada: httpx.AsyncClient, service: FakeService
) -> None:
    service.answers["/v1/verify"] = httpx.ConnectError("refused")
    answer = await ada.get("/utilities/done?state=signed")
    assert answer.status_code == 502
    assert "We cannot reach" in answer.text


async def test_a_refusal_of_the_service_is_shown_in_words(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.answers["/v1/sessions"] = problem(422, "invalid_request", "origin is not allowed")
    page = await ada.post("/utilities/connect")
    script = await ada.post("/utilities/connect", headers=JSON)
    assert (page.status_code, script.status_code) == (502, 502)
    assert "origin is not allowed" in page.text
    assert "origin is not allowed" in script.json()["message"]


async def test_a_wrong_key_is_reported_without_showing_it(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.answers["/v1/sessions"] = problem(401, "unauthorized")
    page = (await ada.post("/utilities/connect")).text
    assert "API key" in page
    assert KEY not in page


async def test_the_list_is_shown_without_bills_that_cannot_be_read(
    ada: httpx.AsyncClient, service: FakeService
) -> None:
    service.connections = [connection()]
    service.answers["/usage"] = problem(504, "provider_timeout")
    part = (await ada.get("/utilities")).text
    assert "Pacific Light &amp; Water" in part
    assert "Some bills cannot be read just now" in part


async def test_connecting_by_redirect_goes_to_the_service(ada: httpx.AsyncClient, service: FakeService) -> None:
    answer = await ada.post("/utilities/connect", data={"way": "redirect", "link": "magic_link"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{URL}/connect/token")
    (request,) = service.asked("/v1/sessions")
    body = httpx.Response(200, content=request.content).json()
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert body["userId"] == "ada"
    assert body["company"] == {"externalId": "acme", "name": "Acme Ltd"}
    assert [site["externalId"] for site in body["sites"]] == ["hq", "warehouse"]
    assert body["link"] == "magic_link"
    assert (body["origin"], body["returnUrl"]) == (OWN_URL, f"{OWN_URL}/utilities/done")


async def test_connecting_from_the_page_returns_the_embed_address_to_its_script(ada: httpx.AsyncClient) -> None:
    answer = await ada.post("/utilities/connect", data={"way": "embedded"}, headers=JSON)
    assert answer.json() == {"embedUrl": f"{URL}/embed/token", "redirectUrl": f"{URL}/connect/token"}


async def test_mallory_connects_for_her_own_company(browser: httpx.AsyncClient, service: FakeService) -> None:
    await browser.post("/sign-in", data={"person": "mallory"})
    await browser.post("/utilities/connect")
    assert b'"externalId":"initech"' in service.asked("/v1/sessions")[0].content


async def test_ones_own_account_can_be_reconnected(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.connections = [connection(status="PASSWORD_INCORRECT", needsAttention=True)]
    assert f'action="/utilities/{CONNECTION_ID}/reconnect"' in (await ada.get("/utilities")).text
    answer = await ada.post(f"/utilities/{CONNECTION_ID}/reconnect")
    assert answer.headers["location"] == f"{URL}/connect/token"


async def test_only_ones_own_accounts_are_listed(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.connections = [connection(userId="bob")]
    page = (await ada.get("/")).text
    assert CONNECTION_ID not in page
    assert "No accounts yet" in page


async def test_until_there_are_bills_the_page_says_so_and_refreshes_soon(
    ada: httpx.AsyncClient, service: FakeService
) -> None:
    service.connections = [connection()]
    part = (await ada.get("/utilities")).text
    assert "Reading the first bills" in part
    assert 'data-refresh-seconds="2"' in part
    assert "Headquarters, Warehouse · Since 4 March 2026" in part


async def test_bills_become_a_chart_with_words_and_a_table(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.connections = [connection()]
    service.usage = [reading(f"2025-{1 + n % 12:02}-01", f"2025-{1 + n % 12:02}-28", "10") for n in range(150)]
    part = (await ada.get("/utilities")).text
    assert part.count("<rect") == 12
    assert '<svg viewBox="0 0 340 176" role="img" aria-labelledby="electricity-kwh-title electricity-kwh-desc">' in part
    assert "12 months, January 2025 to December 2025." in part
    assert '<th scope="row">January 2025</th><td>130</td>' in part
    assert "<strong>1,500</strong> kWh" in part


async def test_the_utilitys_name_is_shown_as_text(ada: httpx.AsyncClient, service: FakeService) -> None:
    service.connections = [connection(provider={"name": "<script>alert(1)</script>", "url": None})]
    assert "<script>alert" not in (await ada.get("/utilities")).text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("connected", "Your utility account is connected"),
        ("opened", "We are waiting for your account"),
        ("exited", "You left before it was finished"),
        ("expired", "Nothing was connected"),
    ],
)
async def test_a_verified_result_is_shown(
    ada: httpx.AsyncClient, service: FakeService, status: str, words: str
) -> None:
    service.verdicts["signed", "ada"] = {"sessionId": "ses_1", "status": status}
    answer = await ada.get("/utilities/done?status=connected&state=signed")
    assert answer.status_code == 200
    assert words in answer.text


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        problem(503, "unavailable"),
    ],
)
async def test_a_service_that_is_down_becomes_a_friendly_note(
    ada: httpx.AsyncClient, service: FakeService, answer: httpx.Response | Exception
) -> None:
    service.answers["/v1/"] = answer
    page = await ada.get("/")
    assert page.status_code == 200
    assert "We cannot reach our connection service just now." in page.text
    assert "No accounts yet" not in page.text
