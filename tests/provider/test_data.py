"""Documents page by page."""

import httpx
import pytest

from service.domain.model import ConnectionId, ProviderCompanyId
from service.errors import ProviderBroken, ProviderNotFound
from tests.support.fake_provider import FakeProvider, answer

CONNECTION, COMPANY = ConnectionId("n1"), ProviderCompanyId("c1")


def two_pages(request: httpx.Request) -> httpx.Response:
    # Reference: cookbooks/pagination: a page past the end is answered with the last one.
    number = min(2, int(request.url.params.get("page", 1)))
    return answer({"documents": [{"id": f"d{number}"}], "currentPage": number, "hasNext": number < 2})


async def test_an_odd_answer_is_no_page() -> None:
    fake = FakeProvider(routes={"GET /document/connection/n1": lambda _: answer({"documents": "none"})})
    with pytest.raises(ProviderBroken):
        await fake.provider().data.document_page(CONNECTION, COMPANY)


async def test_an_id_that_could_change_the_path_is_not_sent() -> None:
    fake = FakeProvider()
    with pytest.raises(ProviderNotFound):
        await fake.provider().data.document_page(ConnectionId("../company"), COMPANY)
    with pytest.raises(ProviderNotFound):
        await fake.provider().data.company_document_page(ProviderCompanyId("c1?x=1"))
    assert fake.requests == []


async def test_each_page_is_one_call_and_one_past_the_end_is_empty() -> None:
    fake = FakeProvider(routes={"GET /document/connection/n1": two_pages})
    data = fake.provider("reference").data
    pages = [await data.document_page(CONNECTION, COMPANY, number) for number in (1, 2, 3)]
    assert [(page.items, page.has_next) for page in pages] == [
        (({"id": "d1"},), True),
        (({"id": "d2"},), False),
        ((), False),
    ]
    assert len(fake.requests) == 3


async def test_a_bare_array_is_one_page() -> None:
    fake = FakeProvider(routes={"GET /document/company/c1": lambda _: answer([{"id": "d1"}])})
    data = fake.provider("reference").data
    assert [(await data.company_document_page(COMPANY, number)).items for number in (1, 2)] == [({"id": "d1"},), ()]
