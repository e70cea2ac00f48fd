// Starts the page and follows the session. screen.js draws, live.js reads the stream, host.js posts to the host page.
// Runs in a cross-site frame, where access to storage may throw: all state, the page key included, is in memory only.
import { watchActions } from "./actions.js";
import { Calls } from "./calls.js";
import { watchSize } from "./fit.js";
import { Host } from "./host.js";
import { watchLifecycle } from "./lifecycle.js";
import { isDone, watchHandoff } from "./handoff.js";
import { follow, Refusal } from "./live.js";
import { mayStart } from "./parent.js";
import { watchRenewal } from "./renewal.js";
import { resumeFields } from "./resume.js";
import { ACHIEVED, attention, Screen, screenOf, stageOf, withCheckedLink } from "./screen.js";
import { applyLook } from "./theme.js";
import { every } from "./ticks.js";

const HEARTBEAT_MS = 20_000;
const RECHECK_MS = 15_000;
const REDIRECT_AFTER_MS = 3_000;
const GREETING_MS = 1_500; // embed.js answers "loaded" sooner, unless its page is busy
const LATE_START_MS = 20_000; // longer than a start may take: see resumeOnce
const FINAL_SCREENS = {
  expired: "expired", revoked: "revoked", taken_over: "taken", already_open: "elsewhere", not_found: "invalid", blocked: "invalid",
};

const main = document.getElementById("flow");
const { kind, sessionId, hostOrigin, tokenPath, live, providerOrigin } = main.dataset;
const embedded = kind === "embed";
const screen = new Screen(main, () => postOpen("frame"));
const local = { screen: null, again: false, waiting: false, back: false, offline: false, asked: null, reopened: false, modal: false, greeted: !embedded };
let view = null;
let running = null; // the AbortController of the stream and of the heartbeats
let [startedAt, viewedAt] = [0, 0];
let [frozen, resumed] = [false, false];
const allowed = mayStart(main.dataset);
let prepared = (embedded && window.name === "magiclink-prepared") || allowed === null; // the host page has not opened it yet
const host = new Host(sessionId, hostOrigin, embedded);
const calls = new Calls(tokenPath, showProblem, clearProblem);

// --- the host page ---

function postOpen(way) {
  host.postOpen(view, way);
  main.dataset.opened = "";
}

// A page that shows an account which was connected before it was loaded stays: the user may have come back to it.
function postResults(first) {
  const result = host.postResults(view);
  if (result) Object.assign(local, { again: false, waiting: false, reopened: false });
  if (result === "connected" && !embedded && view.doneUrl && !first) setTimeout(goToCallback, REDIRECT_AFTER_MS);
}

function goToCallback() {
  const stays = !isSettled() || view.another || attention(view); // something is left to choose or to read
  const done = new URL(view.doneUrl, window.location.href);
  if (!stays && done.origin === window.location.origin) window.location.replace(done);
}

window.addEventListener("message", ({ source, origin, data }) => {
  if (!data || typeof data !== "object") return;
  if (embedded && source === window.parent && origin === hostOrigin) {
    if (data.source === "magiclink-host") onHostCommand(data);
  } else if (source && source === screen.frame?.contentWindow && origin === window.location.origin) {
    if (data.source === "magiclink-callback" && data.sessionId === sessionId) finish();
  }
});

// The host page's own close control is gone when its first message comes; a host page without embed.js has none, and says nothing.
function onHostCommand({ type, look } = {}) {
  local.greeted = true;
  if (type === "modal") local.modal = true; // in a dialog, which Escape closes: its page does not receive our key presses
  if (!prepared) draw();
  if (type === "look") applyLook(main.dataset.look, look);
  if (type === "start" && prepared) start();
  if (type === "close") leave("closed");
}

// --- the service ---

/** Shows the problem; returns whether it is final. A network error has no code of its own: it is `unavailable`. */
function showProblem(problem) {
  const final = problem instanceof Refusal && problem.final;
  let code = problem instanceof Refusal ? problem.code : "unavailable";
  if (code === "taken_over" && resumeOnce()) return true;
  if (code === "already_open" && resumed) code = "taken_over";
  // A connected session stays connected; but a page that another took over no longer hears whether it does.
  if (final && code !== "taken_over" && ACHIEVED.includes(screenOf(view, local))) return stop(), true;
  // A page that was started has a valid link: its user has left it, in another tab with the same cookie.
  if (final) stop((code === "not_found" && startedAt && "left") || FINAL_SCREENS[code] || "failed");
  if (code === "expired") host.postEnd(view, "expired");
  else if (final || !local.offline) host.postError(view, code, !final || code === "already_open", problem.requestId);
  local.offline = !final;
  draw();
  if (final && (local.screen === "failed" || code === "blocked")) screen.code(code);
  return final;
}

function clearProblem() {
  if (!local.offline) return;
  local.offline = false;
  draw();
}

function stop(last = null) {
  running?.abort();
  if (local.asking) local.waiting = false; // the service may not have heard it: the user can say it again
  running = null;
  local.screen = last ?? local.screen;
}

// --- the flow ---

const draw = () => screen.draw(view, local);

/** `asked`: when the answer of a poll was asked for. A view that came since may be newer: not every change is an event, so `seq` may be the same. */
function applyView(next, asked = Infinity) {
  if (!next || (view && (next.seq < view.seq || (next.seq === view.seq && asked < viewedAt)))) return;
  const [before, wasSettled] = [view, isSettled()];
  if (ACHIEVED.includes(view?.status) && ![...ACHIEVED, "revoked"].includes(next.status)) onReopened();
  view = withCheckedLink(next, providerOrigin);
  viewedAt = performance.now();
  // A new link, which can come before any view without one: nothing is finished there.
  if (isRecorded(before)) Object.assign(local, { again: false, waiting: false });
  const replaced = view.link.status === "pending" || (before?.link.url && view.link.url && view.link.url !== before.link.url);
  if (replaced) Object.assign(local, { waiting: false, back: false });
  if (local.waiting && !local.wasRefused && attention(view)) local.waiting = false;
  postResults(!before);
  draw();
  host.postEnd(view, screenOf(view, local));
  if (["expired", "revoked", "failed"].includes(view.status)) stop();
  if (wasSettled) heartbeat(); // if the user's turn has come again, the page's presence counts again, and at once
}

/** Whether the further account is recorded now, and nothing is left to correct on its page. The service says `another` of invitations only. */
const isRecorded = (before) =>
  (before?.another === "asked" ? view.another !== "asked" : local.again && view.connections.length > local.recorded) && !attention(view);

// The connection is recorded for somebody else now, or its owner is undecided. The status tells it, since a poll brings no event.
function onReopened() {
  host.forget();
  Object.assign(local, { reopened: true, waiting: false });
}

function start(takeOver = false) {
  prepared = false;
  Object.assign(local, { screen: null, again: false, waiting: false, back: false, asked: null, handoff: null, offering: false });
  host.begin();
  view = null; // of the flow before: its page may be another's now
  resumed = false;
  return begin(takeOver);
}

/** Starts this page at the service, or once more: the host page has its `ready` then, and the user's place is kept. */
async function begin(takeOver = false) {
  stop();
  startedAt = 0;
  running = new AbortController();
  const { signal } = running;
  if (embedded) draw(); // at top level the template has drawn it already
  const body = embedded ? { ...(await resumeFields(sessionId, hostOrigin)), ...(takeOver ? { takeOver } : {}) } : null;
  const answer = embedded ? await calls.postUntilAnswered("start", body, signal) : {};
  if (!answer || signal.aborted) return;
  calls.key = answer.pageKey ?? null;
  startedAt = performance.now();
  if (embedded) host.postReady(answer.view);
  applyView(answer.view);
  if (running) run(signal);
}

// After a reload the start of the page before may reach the service last, and end this page. Whoever else took over has
// another value, so that this start is refused.
function resumeOnce() {
  if (!embedded || resumed || performance.now() - startedAt > LATE_START_MS) return false;
  resumed = true;
  begin();
  return true;
}

async function run(signal) {
  every(HEARTBEAT_MS, heartbeat, signal);
  try {
    const onLost = () => showProblem(new TypeError("lost"));
    await follow({ url: live, headers: calls.headers, signal, onEvent, onLost, onFound: clearProblem, isQuiet: isSettled });
  } catch (problem) {
    showProblem(problem);
  }
}

function onEvent({ type, data, asked }) {
  if (type === "taken_over") return void showProblem(new Refusal(409, { code: "taken_over" }));
  applyView(data.view, asked);
  if (type !== "view" && data.view) host.post(view, "event", { event: type, seq: data.seq, at: data.at });
}

/** Whether the user's part is done. The page follows on, quietly: the account may still be recorded for somebody else. */
const isSettled = () => ACHIEVED.includes(view?.status) && !local.again;

async function heartbeat() {
  if (!running || !startedAt || isSettled() || view?.onPhone) return;
  const { signal } = running;
  try {
    await calls.post("heartbeat");
  } catch (problem) {
    if (!signal.aborted && problem.final) showProblem(problem); // the stream notices a lost network by itself
  }
}

async function finish() {
  if (!running || local.waiting) return;
  const { signal } = running;
  const wasRefused = attention(view);
  Object.assign(local, { waiting: true, asking: true, back: false, wasRefused });
  host.postFinished(view);
  draw();
  applyView(await calls.postUntilAnswered("finished", {}, signal).finally(() => (local.asking = false)));
  // The provider takes a moment to try corrected credentials: ask again only if they are still refused afterwards.
  if (wasRefused) setTimeout(() => !signal.aborted && attention(view) && back(), RECHECK_MS);
}

function back() {
  Object.assign(local, { waiting: false, back: true });
  draw();
}

function leave(reason) {
  const stage = screenOf(view, local);
  const left = stageOf(stage, view);
  if (running && !ACHIEVED.includes(stage)) calls.postLast("exit", { stage: left, reason }); // the host page learns it even if this fails
  if (!ACHIEVED.includes(stage)) stop("left"); // a page whose user's part is done follows on while it stays open
  host.postLeft(view, left, reason);
  draw();
}

// A magic link is used once more. An invitation is for one account: the service makes the next one, and says so.
async function again() {
  local.recorded = view.connections.length;
  if (view.another && running) {
    const next = await calls.postUntilAnswered("another", {}, running.signal);
    if (next?.another !== "asked") return applyView(next);
    Object.assign(local, { again: true, back: false });
    applyView(next);
  }
  local.again = true;
  screen.slot.replaceChildren();
  draw();
  heartbeat();
}

// --- the user's actions ---

const actions = {
  finished: finish,
  exit: () => leave("left"),
  close: () => leave("closed"),
  done: () => leave("done"),
  takeover: () => start(true),
  continue: () => (embedded ? start() : window.location.reload()), // at top level a button starts the page
  retry: () => window.dispatchEvent(new Event("online")),
  ...{ back, again },
  ...watchRenewal(local, draw, () => host.post(view, "expired", { asked: true })),
  ...watchHandoff(main, local, draw, () => running && calls.postUntilAnswered("handoff", {}, running.signal, isDone)),
};

watchActions(main, actions, embedded, { onWindow: () => postOpen("window"), onLeave: stop });

document.addEventListener("keydown", ({ key: pressed }) => {
  if (local.modal && pressed === "Escape") leave("closed");
});

// The service hears at once that the user left; where this is lost, it notices after a minute that the page is gone.
function onHide() {
  if (embedded && running) calls.postLast("exit", { stage: stageOf(screenOf(view, local), view), reason: "closed" });
}

function onFreeze() {
  frozen ||= Boolean(running);
  stop();
}

function onShow(restored) {
  if (restored && !embedded) return void window.location.reload(); // it may have left: then its button starts it again
  if (!frozen) return void heartbeat();
  frozen = false;
  begin();
}

watchLifecycle({ onHide, onFreeze, onShow });

host.tell("loaded", { title: main.dataset.title });
if (embedded) watchSize(main, (type, more) => host.tell(type, more));
if (embedded) setTimeout(onHostCommand, GREETING_MS);
if (allowed === false) showProblem(new Refusal(403, { code: "blocked" }));
else if (!prepared) start();
