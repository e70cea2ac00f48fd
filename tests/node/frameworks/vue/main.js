// A host page: `mount(url)` and `unmount()` show and remove the guide's component.
import { createApp, h } from "vue";
import ConnectUtility from "./ConnectUtility.vue";

let app = null;
window.done = [];
window.mount = (url) => {
  app = createApp({ render: () => h(ConnectUtility, { url, onDone: ({ type }) => window.done.push(type) }) });
  app.mount("#app");
};
window.unmount = () => app.unmount();
