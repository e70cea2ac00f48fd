"""Forms in a charset that no browser uses: refused, since the parser's codecs fail or make text that cannot be sent."""

import pytest

from tests.support.sandbox_client import Sandbox

CHARSETS = ["undefined", "unicode_escape", "punycode", "utf-16-le", "utf-8; charset=undefined", "utf-7"]


def form(charset: str) -> dict[str, object]:
    fields = ((b"name", rb"\ud800"), (b"step", b"provider"), (b"url", rb"\ud800"))
    parts = (b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % field for field in fields)
    kind = f"multipart/form-data; boundary=b; charset={charset}"
    return {"content": b"".join(parts) + b"--b--\r\n", "headers": {"Content-Type": kind}}


@pytest.mark.parametrize("charset", CHARSETS)
async def test_a_form_in_another_charset_than_utf_8_is_refused(sandbox: Sandbox, charset: str) -> None:
    company, _ = await sandbox.company()
    link = (await sandbox.post(f"/invitation/company/{company}"))["invitationUrl"].partition(":9000")[2]
    for path in ("/dashboard/companies", f"/dashboard/companies/{company}/sites", link):
        assert (await sandbox.plain("POST", path, **form(charset))).status_code == 415
    assert (await sandbox.call("POST", f"/job/company/{company}", **form(charset))).status_code == 415


async def test_a_form_that_names_utf_8_is_read(sandbox: Sandbox) -> None:
    assert (await sandbox.plain("POST", "/dashboard/companies", **form("UTF-8"))).status_code == 303
    assert [company["name"] for company in await sandbox.get("/company")] == [r"\ud800"]
