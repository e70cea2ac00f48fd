"""The headers of refusals: the description names them, and the answers have them."""

from service.web.docs.openapi import document
from tests.support.api_description import CheckedServices
from tests.support.services import refused
from tests.support.users import User

SPEC = document("https://link.example.com")
NEEDED = {"401": "WWW-Authenticate", "405": "Allow", "429": "Retry-After", "503": "Retry-After"}


def test_every_refusal_is_described_with_the_header_that_a_client_needs() -> None:
    for path, methods in SPEC["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if "application/problem+json" in answer.get("content", {}):
                    needed = {"X-Request-Id", *({NEEDED[status]} if status in NEEDED else ())}
                    assert set(answer["headers"]) == needed, f"{method} {path} {status}"


async def test_refusals_have_the_headers_of_their_description(described: CheckedServices) -> None:
    # CheckedServices checks each of these answers against the description.
    refused(await described.web().get("/v1/sessions"), 401, "unauthorized")
    refused(await described.host.put("/v1/sessions"), 405, "method_not_allowed")
    refused(await described.web().post("/webhooks/nectar", content=b"{}"), 401, "bad_webhook")


async def test_a_page_that_is_started_too_often_is_refused_as_described(described: CheckedServices) -> None:
    page = await User(described, "ada").frame()
    answers = [await page.post("start", **{"X-Page-Key": "no"}) for _ in range(61)]
    refused(answers[-1], 429, "rate_limited")
