"""What pages load has an address of its own for each version, so that no browser mixes two of them."""

import re
from pathlib import Path

import pytest

from service.web.cached import IMMUTABLE
from service.web.static_files import FILES, FOLDER, digest_of
from tests.support.services import RunningServices
from tests.support.users import User

TEMPLATES = Path(__file__).parents[2] / "templates"
LOADED = re.compile(r'(?:src|href)="(/static/[^"]+)"')
IMPORTED = re.compile(r'(?:from|import) "([^"]+)"')


async def test_a_page_loads_what_belongs_to_its_version_and_browsers_keep_it(
    services: RunningServices, ada: User
) -> None:
    made = await ada.session()
    page = await services.web().get(made["redirectUrl"])
    loaded = [address for address in LOADED.findall(page.text) if "/theme-" not in address]
    assert {Path(address).parent.as_posix() for address in loaded} == {FOLDER}
    for address in loaded:
        answer = await services.web().get(address)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, IMMUTABLE)
        assert answer.content == FILES[Path(address).name]


async def test_a_page_of_another_version_gets_the_files_of_this_one_and_keeps_none(services: RunningServices) -> None:
    answer = await services.web().get("/static/0123456789abcdef/frame.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.content == FILES["frame.js"]
    assert (await services.web().get("/static/0123456789abcdef/nothing.js")).status_code == 404


async def test_a_page_of_a_version_before_them_gets_the_files_of_this_one(services: RunningServices) -> None:
    answer = await services.web().get("/static/frame.js")
    assert (answer.status_code, answer.content) == (200, FILES["frame.js"])
    assert "immutable" not in answer.headers["cache-control"]


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_a_script_imports_only_from_its_own_folder(name: str) -> None:
    text = FILES[name].decode()
    imported = IMPORTED.findall(text)
    assert {one.removeprefix("./") for one in imported} <= FILES.keys()
    assert all(one.startswith("./") for one in imported)
    assert set(re.findall(r"/static/[\w-]+", text)) <= {"/static/theme-"}


def test_a_template_names_a_file_in_that_folder_or_the_sheet_of_a_look() -> None:
    texts = [path.read_text() for folder in ("pages", "docs") for path in (TEMPLATES / folder).rglob("*.html")]
    assert [one for text in texts for one in LOADED.findall(text) if "/theme-" not in one] == []
    named = {name for text in texts for name in re.findall(r'"\{\{ static \}\}/([^"]+)"', text)}
    assert named <= FILES.keys()
    assert {"frame.js", "page.css", "mark.svg"} <= named


def test_the_digest_is_another_one_if_any_file_is() -> None:
    digests = [
        digest_of({"a.js": b"1", "b.js": b"2"}),
        digest_of({"a.js": b"1", "b.js": b"3"}),
        digest_of({"a.js": b"1", "c.js": b"2"}),
        digest_of({"a.js": b"1"}),
    ]
    assert len(set(digests)) == 4
    assert digest_of({"b.js": b"2", "a.js": b"1"}) == digests[0]
