"""Calls to the provider about documents (bills) and usage: passed on as the provider reports them."""

from collections.abc import Mapping
from typing import Any

from service.domain.model import ConnectionId, JsonObject, ProviderCompanyId
from service.provider.lists import ListCall, ListPage, read_list, read_page
from service.provider.transport import Call, Transport, segment


class ProviderData:
    """The calls about documents and usage. All raise only ProviderFailure."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def document_page(
        self, connection_id: ConnectionId, company_id: ProviderCompanyId, number: int = 1
    ) -> ListPage[JsonObject]:
        """Return one page of the connection's documents, as the provider reports them."""
        connection = segment(connection_id)
        paths = f"/company/{segment(company_id)}/connection/{connection}/document", f"/document/connection/{connection}"
        return await read_page(self._transport, _documents(paths), number)

    async def company_document_page(self, company_id: ProviderCompanyId, number: int = 1) -> ListPage[JsonObject]:
        """Return one page of all of the company's documents: those of its connections, and uploaded ones."""
        company = segment(company_id)
        paths = f"/company/{company}/document", f"/document/company/{company}"
        return await read_page(self._transport, _documents(paths), number)

    async def usage(self, connection_id: ConnectionId, params: Mapping[str, str | list[str]]) -> list[JsonObject]:
        """Return the connection's usage, all pages, as the provider reports it.

        `params` are the provider's own filters; one with a list is sent once for each of its values.
        """
        call = Call("GET", f"/usage/connection/{segment(connection_id)}", query=params)
        listing = ListCall(call, "usageData", "usage", _raw_item)
        return list((await read_list(self._transport, listing, agreed=False)).items)


def _documents(paths: tuple[str, str]) -> ListCall[JsonObject]:
    return ListCall(Call("GET", *paths), "documents", "document", _raw_item)


def _raw_item(body: Any, odd: set[str]) -> tuple[str, JsonObject] | None:
    if isinstance(body, dict) and isinstance(body.get("id"), str):
        return body["id"], body
    odd.add("id" if isinstance(body, dict) else "item")
    return None
