"""One company that its host names in two ways in the same moment: by its own id, and by the provider's."""

import asyncio

from tests.integration.houses import Street
from tests.integration.people import Someone


async def test_its_sites_are_made_once(street: Street, ada: Someone) -> None:
    known = await street.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    ways = [{"externalId": "acme", "name": "Acme Ltd"}, {"id": known["id"]}]
    bodies = [ada.wants(company=ways[number % 2]) for number in range(20)]
    answers = await asyncio.gather(*(street.host.post("/v1/sessions", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}
    for _ in range(3):
        await street.later(5)
    (company,) = await street.sandbox.get("/company")
    assert [site["externalId"] for site in company["sites"]] == ["hq"]
    rows = await street.rows("/v1/sessions", limit=100)
    assert {(row["link"]["status"], row["company"]["id"], row["sites"][0]["id"]) for row in rows} == {
        ("ready", company["id"], company["sites"][0]["id"])
    }
