// Tells the host page, this frame's parent, what is pressed on the status page: to its exact origin, and never a token.
import { applyLook } from "./theme.js";

const main = document.getElementById("status");
const { hostOrigin, secondsLeft } = main.dataset;

function tell(type, more = {}) {
  if (window.parent !== window) window.parent.postMessage({ source: "magiclink-status", type, ...more }, hostOrigin);
}

tell("loaded");
new ResizeObserver(() => tell("size", { height: Math.ceil(main.getBoundingClientRect().height) })).observe(main);
setTimeout(() => tell("expired"), Number(secondsLeft) * 1000);
window.addEventListener("message", ({ source, origin, data }) => {
  if (source !== window.parent || origin !== hostOrigin || data?.source !== "magiclink-host") return;
  if (data.type === "look") applyLook("", data.look);
});
for (const button of main.querySelectorAll("button[data-mend]")) {
  button.addEventListener("click", () => tell("mend", { connectionId: button.dataset.mend }));
}
