"""Addresses that browsers and we must read in the same way."""

import string
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.urls import (
    OUR_PARAMETERS,
    database_url_problem,
    is_app_scheme,
    is_beneath,
    is_local,
    origin_of,
    origin_problem,
    return_url_problem,
)

ALLOWED = ("https://app.example.com", "http://localhost:8080", "com.example.app:")
HOSTS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}(\.[a-z0-9]{1,5}){0,2}", fullmatch=True)
HOSTILE = st.text(st.sampled_from("https:/\\@.#?&;=[]%*\t\r\n \x00" + string.ascii_lowercase[:6] + "é。"), max_size=40)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://App.Example.com/done?x=1", "https://app.example.com"),
        ("HTTPS://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80/", "http://app.example.com"),
        ("https://app.example.com:8443", "https://app.example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[2001:DB8:0::1]:8443/x", "https://[2001:db8::1]:8443"),
        ("https://app.example.com:", "https://app.example.com"),
    ],
)
def test_an_origin_is_written_as_a_browser_writes_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example.com",
        "//app.example.com",
        "https:app.example.com",
        "https:///app.example.com",
        "ftp://app.example.com",
        "javascript:alert(1)",
        "https://user@app.example.com",
        "https://user:pass@app.example.com",
        "https://app.example.com\\@evil.example",
        "https://app.exa\tmple.com",
        " https://app.example.com",
        "https://app.example.com\n",
        "https://app.example.com:99999",
        "https://app.example.com:port",
        "https://exa%6dple.com",
        "https://.example.com",
        "https://bücher.example",
        "https://[::1",
        "https://[::zz]",
        "https://[fe80::1%25eth0]",
        "https://[v1.x:y]",
    ],
)
def test_an_address_that_could_be_misread_has_no_origin(url: str) -> None:
    assert origin_of(url) is None


@given(HOSTS, st.integers(1, 65535), st.text(string.ascii_letters + "/?=&#", max_size=20))
def test_whatever_follows_the_host_leaves_the_origin_alone(host: str, port: int, rest: str) -> None:
    origin = origin_of(f"https://{host}:{port}/{rest}")
    assert origin == (f"https://{host}" if port == 443 else f"https://{host}:{port}")
    assert origin_of(origin) == origin
    assert origin_problem(origin) is None


@given(HOSTILE | st.text(max_size=30))
@example("https://[")
def test_any_text_has_an_origin_that_is_its_own_origin_or_none(text: str) -> None:
    origin = origin_of(text)
    assert origin is None or (origin_of(origin) == origin and "@" not in origin and "\\" not in origin)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("https://*.example.com", "wildcard"),
        ("*", "wildcard"),
        ("https://app.example.com/", "slash"),
        ("https://app.example.com/path", "path"),
        ("https://app.example.com?x", "path"),
        ("https://app.example.com#x", "path"),
        ("http://app.example.com", "must be https"),
        ("app.example.com", "not an origin"),
        ("null", "not an origin of its own"),
        ("capacitor://localhost", "any of them could embed the page; use the redirect flow"),
        ("ionic://localhost", "com.example.app:"),
        ("file:///index.html", "redirect flow"),
        ("TAURI://localhost", "redirect flow"),
        ("https://tauri.localhost", "redirect flow"),
        ("http://[::1]:3000", "IPv6 address"),
        ("https://[2001:db8::1]", "IPv6 address"),
    ],
)
def test_a_wrong_origin_is_explained_and_not_repeated(text: str, hint: str) -> None:
    problem = origin_problem(text)
    assert problem is not None
    assert hint in problem


@pytest.mark.parametrize("origin", ["http://localhost:8000", "http://app.localhost", "http://127.0.0.1:9000"])
def test_http_is_fine_on_this_machine(origin: str) -> None:
    assert is_local(origin)
    assert origin_problem(origin) is None


@pytest.mark.parametrize("origin", ["http://localhost.example.com", "http://10.0.0.1", "http://notlocalhost"])
def test_a_name_that_only_looks_local_is_not(origin: str) -> None:
    assert not is_local(origin)


@pytest.mark.parametrize(
    "scheme", ["javascript:", "data:", "https:", "com.example.app", "com..app:", ".app:", "Com.App:"]
)
def test_a_scheme_that_nobody_owns_is_not_an_app_scheme(scheme: str) -> None:
    assert not is_app_scheme(scheme)


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/utilities/done",
        "https://APP.example.com:443/done?tab=1&q=state%20of%20things",
        "http://localhost:8080/done",
        "com.example.app:/done",
        "com.example.app://done?from=link",
    ],
)
def test_a_return_url_of_the_host_app_is_accepted(url: str) -> None:
    assert return_url_problem(url, ALLOWED) is None


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("https://evil.example/", "origin"),
        ("https://app.example.com.evil.example/", "origin"),
        ("https://app.example.com:8443/", "origin"),
        ("http://app.example.com/", "https"),
        ("http://localhost:9999/", "origin"),
        ("https://app.example.com@evil.example/", "user information"),
        ("com.example.app://user@done", "user information"),
        ("https://app.example.com/#done", "fragment"),
        ("https://app.example.com/\\evil.example", "absolute URL"),
        ("https://app.example.com/\x0d\x0aSet-Cookie:x", "absolute URL"),
        ("https://app.example.com/é", "absolute URL"),
        ("/done", "absolute URL"),
        ("https://[::1", "absolute URL"),
        ("javascript:alert(1)", "https"),
        ("data:text/html,x", "https"),
        ("org.example.other:/done", "app scheme"),
        ("https://app.example.com/?state=x", "parameter"),
        ("https://app.example.com/?a=1&sessionId", "parameter"),
        ("https://app.example.com/?a=1;connectionId=2", "parameter"),
        ("https://app.example.com/?%73tatus=done", "parameter"),
        ("https://app.example.com/" + "x" * 2048, "2048"),
    ],
)
def test_a_return_url_that_could_lead_astray_is_refused(url: str, hint: str) -> None:
    problem = return_url_problem(url, ALLOWED)
    assert problem is not None
    assert hint in problem


@given(HOSTILE | st.text(max_size=60) | HOSTILE.map("https://app.example.com".__add__))
@example("https://app.example.com/?state=1")
def test_what_is_accepted_leads_only_to_an_allowed_place(url: str) -> None:
    if return_url_problem(url, ALLOWED) is not None:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc.removesuffix(":443").rstrip(":")) == ("https", "app.example.com")
    assert not set("\\#\r\n\t ") & set(url)
    assert not any(f"{name}=" in parts.query for name in OUR_PARAMETERS)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("", "must begin with"),
        ("mysql://db/x", "must begin with"),
        ("sqlite://magiclink.db", "must begin with"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:x?mode=memory", "in memory"),
        ("sqlite:///magiclink.db?mode=ro", "query"),
        ("sqlite:///magiclink.db#x", "query"),
        ("postgresql://u:hun#ter2@db/x", "# as %23"),
        ("postgresql://u:hun/ter2@db/x", "/ as %2F"),
        ("postgresql://u:hun?ter2@db/x", "? as %3F"),
        ("postgres://u:hun@ter2@db/x", "@ as %40"),
        ("postgresql://u:100%@db/x", "% as %25"),
        ("postgresql://db/x#y", "%23"),
    ],
)
def test_a_wrong_database_address_is_explained_and_not_repeated(url: str, hint: str) -> None:
    problem = database_url_problem(url)
    assert problem is not None
    assert hint in problem
    assert "ter2" not in problem


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///magiclink.db",
        "sqlite:////var/lib/a b/magiclink.db",
        "postgres://db/x",
        "postgresql://u:hun%23ter2%40@db:5432/x?sslmode=require",
        "postgresql://u:a!$&'()*+,;=~._-z@[2001:db8::1]/x",
        "postgresql://user@db/x?application_name=a@b",
    ],
)
def test_a_database_address_that_every_parser_reads_alike_is_taken(url: str) -> None:
    assert database_url_problem(url) is None


@pytest.mark.parametrize("path", ["", "/", "/one", "/one?x=1", "/a..b", "/..a", "/one;..", "/a..;b/c", "/;x=.;y"])
def test_an_address_with_the_path_of_another_is_beneath_it(path: str) -> None:
    assert is_beneath(f"https://app.example.com/hooks{path}", "https://app.example.com/hooks")


@pytest.mark.parametrize(
    "path",
    [
        "hooks/../admin",
        "hooks/%2e%2e/admin",
        "hooks/..%2fadmin",
        "hooks/..%2Fadmin",
        "hooks/x%2f..%2f..%2fadmin",
        "hooks/..%5cadmin",
        "hooks/..;/admin",
        "hooks/x/..;a=b/..;c",
        "hooks/%2e%2e%3Bx/admin",
        "hooks/.;x/y",
        "hooksadmin",
        "",
    ],
)
def test_an_address_that_a_receiver_could_read_as_above_the_path_is_not_beneath_it(path: str) -> None:
    assert not is_beneath(f"https://app.example.com/{path}", "https://app.example.com/hooks")
