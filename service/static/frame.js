// The page's life: starts it, follows the session, tells the host page. What is shown is in screen.js, the stream in live.js.
// Runs in a cross-site frame, where storage throws: all it knows is in its memory.
import { follow, pause, Refusal } from "./live.js";
import { Screen, screenOf } from "./screen.js";

const HEARTBEAT_MS = 20_000;
const SECOND_LOOK_MS = 15_000;
const FAREWELL_MS = 3_000;
const LAST_WORDS = {
  expired: "expired", revoked: "revoked", taken_over: "taken", already_open: "elsewhere", not_found: "invalid",
};

const main = document.getElementById("flow");
const { kind, sessionId, hostOrigin, tokenPath, live, providerOrigin } = main.dataset;
const embedded = kind === "embed";
const screen = new Screen(main, opened);
const here = { screen: null, again: false, waiting: false, back: false, offline: false, asked: false };
let view = null;
let key = null;
let running = null; // the AbortController of all that this page keeps doing
let modal = false; // the host page shows us in a dialog, which Escape closes; it does not hear our keys
let told = { open: false, connected: 0 };

// --- the host page ---

function tell(type, more = {}) {
  if (!embedded || window.parent === window) return;
  const message = { source: "magiclink", type, sessionId, seq: view?.seq ?? 0, at: view?.at ?? new Date().toISOString(), ...more };
  window.parent.postMessage(message, hostOrigin);
}

function opened() {
  if (!told.open) tell("open");
  told.open = true;
  main.dataset.opened = "";
}

function tellConnected() {
  const working = view.connections.filter((connection) => !connection.needsAttention).length;
  if (view.status !== "connected" || working <= told.connected) return;
  told.connected = working;
  Object.assign(here, { again: false, waiting: false });
  tell("connected", { connections: view.connections.map(({ id, status }) => ({ id, status })) });
  if (!embedded && view.doneUrl) setTimeout(farewell, FAREWELL_MS);
}

function farewell() {
  const done = new URL(view.doneUrl, window.location.href);
  if (!here.again && done.origin === window.location.origin) window.location.assign(done);
}

window.addEventListener("message", ({ source, origin, data }) => {
  if (!data || typeof data !== "object") return;
  if (embedded && source === window.parent && origin === hostOrigin) {
    if (data.source === "magiclink-host") obey(data.type);
  } else if (source && source === screen.frame?.contentWindow && origin === window.location.origin) {
    if (data.source === "magiclink-callback" && data.sessionId === sessionId) finish();
  }
});

function obey(type) {
  if (type === "modal") modal = true;
  if (type === "close") leave("closed");
}

// --- the service ---

async function post(verb, body = {}, keepalive = false) {
  const headers = { Accept: "application/json", "Content-Type": "application/json", ...keyHeader() };
  const signal = keepalive ? undefined : AbortSignal.timeout(15_000);
  const response = await fetch(`${tokenPath}/${verb}`, { method: "POST", headers, body: JSON.stringify(body), keepalive, signal });
  if (!response.ok) throw await Refusal.from(response);
  return response.status === 204 ? null : response.json();
}

const keyHeader = () => (key ? { "X-Page-Key": key } : {});

/** Asks until there is an answer; a final refusal ends the page and gives null, and so does `signal`. */
async function insist(verb, body, signal) {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      const answer = await post(verb, body);
      calm();
      return answer;
    } catch (problem) {
      if (signal.aborted || stumble(problem)) return null;
      await pause(attempt + 1, signal);
    }
  }
  return null;
}

/** Shows what went wrong; true if there is no use in trying again. A failed network has no code: it is `unavailable`. */
function stumble(problem) {
  const final = problem instanceof Refusal && problem.final;
  if (final && screenOf(view, here) === "connected") return stop(), true; // what is done stays done
  const code = problem instanceof Refusal ? problem.code : "unavailable";
  if (final) stop(LAST_WORDS[code] || "failed");
  if (final || !here.offline) tell("error", { code, retryable: !final || code === "already_open", requestId: problem.requestId ?? null });
  here.offline = !final;
  draw();
  if (final && here.screen === "failed") screen.code(code);
  return final;
}

function calm() {
  if (!here.offline) return;
  here.offline = false;
  draw();
}

function stop(last = null) {
  running?.abort();
  running = null;
  here.screen = last ?? here.screen;
}

// --- the flow ---

function draw() {
  screen.draw(view, here);
}

function accept(news) {
  if (!news || (view && news.seq < view.seq)) return;
  view = safe(news);
  if (here.waiting && !here.knew && view.connections.some((connection) => connection.needsAttention)) here.waiting = false;
  tellConnected();
  draw();
  if (["expired", "revoked", "failed"].includes(view.status)) stop();
}

// A link that is not the provider's is never framed and never offered, whoever wrote it into our answer.
function safe(news) {
  if (!news.link.url || originOf(news.link.url) === providerOrigin) return news;
  return { ...news, link: { ...news.link, status: "failed", url: null }, failure: { code: "link_refused" } };
}

function originOf(url) {
  try {
    return new URL(url).origin;
  } catch {
    return null;
  }
}

async function start(takeOver = false) {
  stop();
  Object.assign(here, { screen: null, again: false, waiting: false, back: false, asked: false });
  running = new AbortController();
  const { signal } = running;
  if (embedded) draw(); // at top level the service has drawn it already
  const answer = embedded ? await insist("start", takeOver ? { takeOver } : {}, signal) : {};
  if (!answer || signal.aborted) return;
  key = answer.pageKey ?? null;
  if (embedded) tell("ready", { seq: answer.view.seq, at: answer.view.at });
  accept(answer.view);
  if (running) run(signal);
}

async function run(signal) {
  const beat = setInterval(heartbeat, HEARTBEAT_MS);
  signal.addEventListener("abort", () => clearInterval(beat));
  try {
    await follow({ url: live, headers: keyHeader(), signal, onFrame, onLost: () => stumble(new TypeError("lost")), onFound: calm });
  } catch (problem) {
    stumble(problem);
  }
}

function onFrame({ type, data }) {
  if (type === "taken_over") return void stumble(new Refusal(409, { code: "taken_over" }));
  accept(data.view);
  if (type !== "view") tell("event", { event: type, seq: data.seq, at: data.at });
}

async function heartbeat() {
  try {
    await post("heartbeat");
  } catch (problem) {
    if (running && problem.final) stumble(problem); // anything else is the stream's to notice
  }
}

async function finish() {
  if (!running || here.waiting) return;
  const { signal } = running;
  const knew = Boolean(view?.connections.some((connection) => connection.needsAttention));
  Object.assign(here, { waiting: true, back: false, knew });
  draw();
  accept(await insist("finished", {}, signal));
  // Corrected credentials take a moment to show: only if they are still refused by then is it said again.
  if (knew) setTimeout(() => view.connections.some((connection) => connection.needsAttention) && back(), SECOND_LOOK_MS);
}

function back() {
  Object.assign(here, { waiting: false, back: true });
  draw();
}

function leave(reason) {
  const stage = screenOf(view, here);
  if (running && stage !== "connected") post("exit", { stage, reason }, true).catch(() => {}); // told to the host all the same
  stop(stage === "connected" ? null : "left");
  tell("exit", { stage, reason });
  draw();
}

function again() {
  here.again = true;
  screen.slot.replaceChildren();
  draw();
}

function renew() {
  here.asked = true;
  tell("expired");
  draw();
}

// --- what the person does ---

const acts = {
  finished: finish,
  exit: () => leave("left"),
  done: () => leave("done"),
  takeover: () => start(true),
  continue: () => start(),
  retry: () => window.dispatchEvent(new Event("online")),
  back,
  again,
  renew,
};

main.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-act]");
  if (button) acts[button.dataset.act]();
  if (target.closest("a[data-link]")) opened();
});

// At top level leaving is a plain form: the service answers with the way back.
main.addEventListener("submit", (event) => {
  const { act } = event.target.dataset;
  if (!acts[act] || (act === "exit" && !embedded)) return;
  event.preventDefault();
  acts[act]();
});

document.addEventListener("keydown", ({ key: pressed }) => {
  if (modal && pressed === "Escape") leave("closed");
});

document.addEventListener("visibilitychange", () => {
  if (running && document.visibilityState === "visible") heartbeat();
});

// A page that is gone (not: hidden) makes room at once, so that a reload is not asked whether it may take over.
window.addEventListener("pagehide", (event) => {
  if (!embedded || !running || event.persisted) return;
  post("exit", { stage: screenOf(view, here), reason: "closed" }, true).catch(() => {});
});

start();
