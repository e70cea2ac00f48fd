"""A host app in React 19, in StrictMode, which mounts each component, unmounts it and mounts it again."""

from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, NewUser, arrived_messages
from tests.support.flow_messages import follow_the_rules
from tests.support.react_script import react_script

NAMES = ["ready", "open", "finished", "submitted", "connected", "attention", "exit", "expired", "error", "closed"]
# `show` renders a component in StrictMode, `mounts` counts its effects.
HOST = """
    window.messages = [];
    window.mounts = 0;
    const root = createRoot(document.getElementById("root"));
    const h = React.createElement;
    const names = %s;
    window.show = (kind, props) => root.render(h(React.StrictMode, null, kind && h(kind, props)));
    const useCount = () => React.useEffect(() => void (mounts += 1), []);

    window.Dialog = ({ url }) => {
      useCount();
      React.useEffect(() => {
        const keep = (payload) => messages.push(payload);
        const title = (name) => "on" + name[0].toUpperCase() + name.slice(1);
        const flow = MagicLink.open({ url, ...Object.fromEntries(names.map((name) => [title(name), keep])) });
        return () => flow.close();
      }, [url]);
      return null;
    };
    window.Inline = ({ url, label }) => {
      useCount();
      const keep = ({ detail }) => messages.push(detail);
      const handlers = Object.fromEntries(names.map((name) => ["on" + name, keep]));
      return h("div", { title: label }, h("magic-link", { url, ...handlers }));
    };
    window.Status = ({ url }) => {
      useCount();
      return h("magic-link-status", { url, onmend: ({ detail }) => messages.push({ type: "mend", ...detail }) });
    };
"""


class ReactHost:
    """The host's page with React and our scripts."""

    def __init__(self, user: BrowserUser, api: Api, origin: str) -> None:
        self.user, self.page, self.flow = user, user.page, user.embedded
        self._api, self.origin = api, origin

    async def load(self) -> None:
        service = self.user.services.service
        scripts = "".join(f"<script src='{service}/{name}.js'></script>" for name in ("embed", "embed-status"))
        await self.page.goto(f"{self.origin}/content?{quote(f'<body><div id=root></div>{scripts}')}")
        await self.page.add_script_tag(content=react_script())
        await self.page.add_script_tag(content=HOST % NAMES)

    async def show(self, kind: str, **props: Any) -> None:
        await self.page.evaluate("([kind, props]) => show(window[kind], props)", [kind, props])

    async def url(self, name: str) -> str:
        return str((await self._api.create("ada", f"react-{name}", origin=self.origin))["embedUrl"])

    async def types(self) -> list[str]:
        messages = await arrived_messages(self.page)
        follow_the_rules(messages)
        return [one["type"] for one in messages]

    async def mounts(self) -> int:
        return int(await self.page.evaluate("window.mounts"))


@pytest.fixture
async def host(new_user: NewUser, api: Api, other_host: str) -> ReactHost:
    host = ReactHost(await new_user(), api, other_host)
    await host.load()
    return host


async def test_a_dialog_that_an_effect_opens_is_there_once_and_leaves_with_its_component(host: ReactHost) -> None:
    await host.show("Dialog", url=await host.url("dialog"))
    await host.flow.opens()
    assert await host.mounts() == 2
    assert await host.types() == ["ready", "open"]
    await expect(host.page.locator("dialog")).to_have_count(1)
    await host.page.evaluate("show(null)")
    await expect(host.page.locator("dialog")).to_have_count(0)
    assert await host.types() == ["ready", "open", "exit"]


async def test_the_element_takes_its_url_as_a_property_and_its_events_as_handlers(host: ReactHost) -> None:
    url = await host.url("element")
    gets: list[str] = []
    host.page.on("request", lambda one: gets.append(one.url) if one.url.partition("?")[0] == url else None)
    await host.show("Inline", url=url, label="first")
    await host.flow.opens()
    await host.show("Inline", url=url, label="rendered again")
    await host.flow.provider.connect()
    await host.page.wait_for_function("messages.some(({ type }) => type === 'connected')")
    assert await host.mounts() == 2
    assert (await host.types())[:2] == ["ready", "open"]
    assert (await host.types()).count("connected") == 1
    assert len(gets) == 1
    await host.page.evaluate("show(null)")
    await expect(host.page.locator("magic-link")).to_have_count(0)
    await expect(host.page.locator("iframe")).to_have_count(0)


async def test_another_url_begins_another_flow_in_the_same_element(host: ReactHost) -> None:
    await host.show("Inline", url=await host.url("first"))
    await host.flow.opens()
    first = await host.flow.session_id()
    await host.show("Inline", url=await host.url("second"))
    await host.page.wait_for_function("messages.filter(({ type }) => type === 'open').length === 2")
    assert await host.flow.session_id() != first
    await expect(host.page.locator("iframe")).to_have_count(1)


async def test_the_status_element_works_in_it_too(host: ReactHost, api: Api) -> None:
    await api.create("react-status", "react-status")
    origin = quote(host.origin, safe="")
    status = await api.service("GET", f"/v1/users/react-status/status?origin={origin}")
    await host.show("Status", url=status["statusUrl"])
    frame = host.page.frame_locator("iframe[title='Your utility accounts']")
    await expect(frame.get_by_text("No utility account is connected.")).to_be_visible()
    assert await host.mounts() == 2
    await expect(host.page.locator("iframe")).to_have_count(1)
