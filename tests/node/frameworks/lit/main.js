// A host page: `mount(url)` and `unmount()` show and remove the guide's component.
import "./connect-utility.js";

const place = document.getElementById("app");
window.done = [];
window.mount = (url) => {
  const one = Object.assign(document.createElement("connect-utility"), { url });
  one.addEventListener("done", ({ detail }) => window.done.push(detail.type));
  place.append(one);
};
window.unmount = () => place.replaceChildren();
