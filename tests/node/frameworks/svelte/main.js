// A host page: `mount(url)` and `unmount()` show and remove the guide's component.
import { mount, unmount } from "svelte";
import ConnectUtility from "./ConnectUtility.svelte";

let app = null;
window.done = [];
window.mount = (url) => {
  const ondone = ({ type }) => window.done.push(type);
  app = mount(ConnectUtility, { target: document.getElementById("app"), props: { url, ondone } });
};
window.unmount = () => unmount(app);
