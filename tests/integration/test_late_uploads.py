"""Bills that were uploaded for a company which the provider does not show yet, or has no more."""

from typing import Any

import httpx

from service.domain.changes import Job, JobKind
from tests.support.services import RunningServices
from tests.support.users import User

LISTED = {"documents": [{"id": "uploaded", "jobId": "job-1"}], "currentPage": 1, "hasNext": False}


def of_documents(call: httpx.Request) -> bool:
    return "/document" in call.url.path  # both generations of paths


async def named(services: RunningServices) -> list[Any]:
    events = await services.rows("/v1/events", limit=100)
    return [event["data"]["documentIds"] for event in events if event["type"] == "document.available"]


async def upload_job_runs_while_the_provider_answers_404(services: RunningServices, company_ref: str) -> None:
    services.outgoing.instead = lambda call: httpx.Response(404, json={}) if of_documents(call) else None
    await services.parts.store.queue.enqueue(Job(JobKind.UPLOADS, company_ref))
    await services.drain()
    services.outgoing.instead = lambda _call: None
    services.outgoing.reshape = lambda call, body: LISTED if of_documents(call) else body


async def company_ref_of(services: RunningServices, ada: User) -> str:
    session = await ada.session()
    await services.drain()
    return (await services.parts.store.sessions.get(session["id"])).company.ref


async def test_bills_of_a_company_that_was_just_created_are_named_once_it_is_shown(
    services: RunningServices, ada: User
) -> None:
    company_ref = await company_ref_of(services, ada)
    await upload_job_runs_while_the_provider_answers_404(services, company_ref)
    assert await named(services) == []
    await services.later(60)
    assert await named(services) == [["uploaded"]]


async def test_bills_of_a_company_that_the_provider_has_no_more_are_not_asked_for_again(
    services: RunningServices, ada: User
) -> None:
    company_ref = await company_ref_of(services, ada)
    await services.later(300)
    await upload_job_runs_while_the_provider_answers_404(services, company_ref)
    before = len(services.outgoing.calls)
    await services.later(600)
    assert not any("/document" in call for call in services.outgoing.calls[before:])
