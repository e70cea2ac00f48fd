"""Answers about users who were erased, and exports without other users, are as the description says."""

from tests.support.api_description import CheckedServices
from tests.support.services import refused
from tests.support.users import User, asked_in


async def test_for_whom_a_result_was_presented_is_described_as_null_after_an_erasure(
    described: CheckedServices,
) -> None:
    page = await User(described, "ada").browser()
    await page.connect()
    result = {"state": asked_in(await page.finish())["state"], "userId": "mallory"}
    refused(await described.host.post("/v1/verify", json=result), 422, "invalid_request")
    # CheckedServices checks each of these answers against the description.
    exported = await described.get("/v1/users/ada/export")
    assert [one["data"] for one in exported["events"]][-1] == {"presentedFor": None}
    assert (await described.host.delete("/v1/users/mallory")).status_code == 204
    events = await described.rows("/v1/events", limit=100)
    assert [one["data"] for one in events if one["type"] == "session.verify_failed"] == [{"presentedFor": None}]
