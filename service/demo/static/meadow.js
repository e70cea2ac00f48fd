// The customer's page: opens the connection flow and keeps the list and the charts fresh.
"use strict";

const notice = document.getElementById("news");
const list = document.getElementById("utilities");
const inline = document.getElementById("inline");
const WORDS = {
  connected: "Your utility account is connected. Its bills appear below in a few moments.",
  left: "You left before it was finished. You can start again at any time.",
  error: "The connection page could not go on. Please start again.",
};
let timer = 0;
let flow = null;

function say(words, tone = "") {
  notice.textContent = words;
  notice.className = `notice ${tone}`;
  notice.hidden = !words;
}

function wait(seconds) {
  clearTimeout(timer);
  timer = setTimeout(refresh, seconds * 1000);
}

async function refresh() {
  if (document.hidden) return wait(2);
  try {
    const answer = await fetch("/utilities", { headers: { Accept: "text/html" } });
    if (answer.status === 401) return location.reload();
    if (answer.ok) replace(await answer.text());
  } catch {
    // The next refresh tries again.
  }
  const part = list.querySelector("[data-refresh-seconds]");
  wait(Number(part ? part.dataset.refreshSeconds : 5));
}

// Only a change is drawn, so that focus, open tables and a screen reader's position survive a refresh.
let drawn = null;
function replace(html) {
  if (html === drawn) return;
  const first = drawn === null;
  drawn = html;
  const fresh = new DOMParser().parseFromString(html, "text/html").body;
  if (first && fresh.textContent.trim() === list.textContent.trim()) return;
  for (const open of list.querySelectorAll("details[open][id]")) fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
  const focused = list.contains(document.activeElement) ? document.activeElement.id : "";
  list.replaceChildren(...fresh.childNodes);
  if (focused) document.getElementById(focused)?.focus();
}

function show(url, place, again) {
  const earlier = flow;
  const framed = place === "inline";
  inline.hidden = !framed;
  flow = null;
  earlier?.close();
  // Events of an earlier flow are ignored.
  const ifCurrent = (act) => (payload) => {
    if (flow !== mine) return;
    act(payload);
    wait(0);
  };
  const leave = () => {
    finish();
    if (framed) document.querySelector("[data-connect] .primary").focus(); // a dialog returns the focus itself
  };
  const mine = window.MagicLink.open({
    url,
    ...(framed ? { container: inline } : {}),
    onConnected: ifCurrent(() => say(WORDS.connected, "good")),
    onExit: ifCurrent(() => {
      say(WORDS.left);
      leave();
    }),
    onClosed: ifCurrent(leave),
    onExpired: ifCurrent(({ asked }) => asked && again()),
    onError: ifCurrent(({ retryable }) => retryable || say(WORDS.error, "bad")),
    onEvent: ifCurrent(() => {}),
  });
  flow = mine;
  if (framed) inline.scrollIntoView({ block: "nearest" });
}

function finish() {
  flow?.close();
  flow = null;
  inline.hidden = true;
}

async function connect(form, submitter) {
  const place = form.elements.place?.value;
  const fields = new URLSearchParams(new FormData(form));
  fields.set("way", submitter.value);
  submitter.disabled = true;
  say("");
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json" } });
    const body = await answer.json();
    if (!answer.ok) return say(body.message, "bad");
    submitter.disabled = false;
    submitter.focus({ preventScroll: true }); // a dialog returns the focus to it
    show(body.embedUrl, place, () => connect(form, submitter));
  } catch {
    say("Meadow did not answer. Please try again.", "bad");
  } finally {
    submitter.disabled = false;
  }
}

// Without the service's script the form is posted as usual, and the flow is a redirect there and back.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!("connect" in form.dataset) || event.submitter?.value !== "embedded" || !window.MagicLink) return;
  event.preventDefault();
  connect(form, event.submitter);
});

wait(2);
