"""What survives a restart, and what is the same in every run with a seed."""

from pathlib import Path

import pytest

from service.sandbox.world.rows import FILE_NAME
from tests.support.clock import Clock
from tests.support.sandbox_client import SECRET, Sandbox, on_disk

RECEIVER = {"webhook_url": "http://receiver.test/hook", "webhook_secret": SECRET}


async def everything(sandbox: Sandbox, company: str) -> list[object]:
    paths = (
        "/company",
        f"/company/{company}/connection",
        f"/invitation/company/{company}",
        f"/document/company/{company}",
    )
    return [await sandbox.get(path) for path in paths]


async def test_refused_webhooks_are_retried_after_a_restart_as_the_same_messages(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path, **RECEIVER)
    first.answers = [500] * 3
    company, sites = await first.company()
    await first.connect(company, sites)
    await first.deliver_webhooks()
    second = on_disk(clock, tmp_path, **RECEIVER)
    await second.deliver_webhooks()
    assert second.received == []
    clock.advance(5)
    await second.deliver_webhooks()
    ids = [[received.headers["svix-id"] for received in sandbox.received[:3]] for sandbox in (first, second)]
    assert ids[0] == ids[1]


async def test_documents_announced_before_a_restart_are_not_announced_again(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path, **RECEIVER)
    company, sites = await first.company()
    await first.connect(company, sites, initialDatasourceTypes=["GAS"])
    clock.advance(6)
    await first.deliver_webhooks(3)
    assert len(first.received) == 4 + 24
    second = on_disk(clock, tmp_path, **RECEIVER)
    await second.deliver_webhooks(3)
    assert second.received == []


async def test_all_data_survives_a_restart(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path)
    company, sites = await first.company(sites=2)
    made = await first.connect(company, sites)
    invitation = await first.post(f"/invitation/company/{company}", {"maxUses": 2, "allowedEmails": ["a@example.com"]})
    link = await first.post(f"/company/{company}/connection/link", {"sites": sites})
    first.world.invitations.open(invitation["token"])
    clock.advance(6)
    second = on_disk(clock, tmp_path)
    assert await everything(second, company) == await everything(first, company)
    assert (await second.get(f"/invitation/{invitation['id']}"))["events"][0]["type"] == "VIEWED"
    known = second.world.links.find(made["publicCompanyId"], link["companyMagicLinkSecret"])
    assert known.prefill == {"sites": sites}


async def test_a_change_is_on_the_disk_before_its_answer(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path)
    await first.trouble("drop_connection", times=1)
    with pytest.raises(Exception, match="dropped"):
        await first.post("/company", {"name": "Acme"})
    assert [one["name"] for one in await on_disk(clock, tmp_path).get("/company")] == ["Acme"]


async def test_troubles_and_an_advanced_clock_survive(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path)
    await first.trouble("rate_limited", times=2)
    await first.plain("POST", "/_control/time", json={"advanceSeconds": 100})
    second = on_disk(clock, tmp_path)
    assert (await second.call("GET", "/ping")).status_code == 429
    assert second.world.clock.time() == clock.now() + 100


async def test_a_reset_clears_the_disk(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path)
    await first.company()
    await first.plain("POST", "/_control/reset")
    assert await on_disk(clock, tmp_path).get("/company") == []


async def test_one_file_has_all_data_in_a_folder_created_when_needed(clock: Clock, tmp_path: Path) -> None:
    sandbox = on_disk(clock, tmp_path / "new" / "folder")
    await sandbox.company()
    sandbox.world.close()
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == [FILE_NAME]


async def test_a_seed_makes_every_run_the_same(clock: Clock) -> None:
    async def run(seed: str | None) -> list[object]:
        sandbox = Sandbox(clock, seed=seed)
        company, sites = await sandbox.company()
        made = await sandbox.connect(company, sites)
        return [company, sites, made]

    assert await run("one") == await run("one")
    assert (await run("one"))[0] != (await run("two"))[0]
    assert (await run(None))[0] != (await run(None))[0]


async def test_a_seed_gives_no_id_twice_after_a_restart_and_starts_over_after_a_reset(
    clock: Clock, tmp_path: Path
) -> None:
    first = on_disk(clock, tmp_path, seed="one")
    one, _ = await first.company()
    second = on_disk(clock, tmp_path, seed="one")
    two, _ = await second.company()
    assert one != two
    await second.plain("POST", "/_control/reset")
    assert (await second.company())[0] == one
