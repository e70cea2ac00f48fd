// Draws a view of the session; makes no request and posts no message.
// All sentences are in the page already: `data-show` names the conditions under which an element is shown.
import { adviceConditions, fillAdvice } from "./advice.js";
import { watchMore } from "./more.js";

const ENDED = ["expired", "revoked", "failed"];
export const ACHIEVED = ["submitted", "connected"]; // the user's part is done
const UNENDED = ["preparing", "elsewhere", "provider", "confirming", "reopened", "handoff", "phone"]; // these panels have "Leave"
const SLOW_AFTER_MS = { preparing: 10_000, confirming: 20_000 };
const wide = window.matchMedia("(min-width: 700px)"); // the provider's pages want desktop size

const visible = (element) => Boolean(element?.getClientRects().length);
/** Whether an account needs its user. */
export const attention = (view) => Boolean(view?.connections.some((connection) => connection.needsAttention));
// Its time is over, and the session waits: for an account that the provider does not list yet, or for the end of this page.
const isLinkOver = ({ link, finished, waiting }) => link.status === "ready" && !link.url && (finished || waiting === "used");
const refused = (view) => view.connections.length > 0 && view.connections.every((connection) => connection.needsAttention);
const hasStopped = ({ needsAttention, state }) => needsAttention || state === "inactive"; // no bills follow until somebody acts
const stopped = (view) => view.connections.length > 0 && view.connections.every(hasStopped);

// Another account is being connected. Where its link was refused, the page stays with what is connected.
const isAdding = (view, local) => local.again && view.link.status !== "failed";

/** Only the provider's origin is framed or offered: a link changed by an attacker could imitate its sign-in form. */
export function withCheckedLink(view, providerOrigin) {
  if (!view.link.url || originOf(view.link.url) === providerOrigin) return view;
  return { ...view, link: { ...view.link, status: "failed", url: null }, failure: { code: "link_refused" } };
}

// The page's language, as the reader's own region writes times.
function timeLocale() {
  const { lang } = document.documentElement;
  return navigator.languages.find((one) => one.split("-")[0] === lang) ?? lang;
}

function originOf(url) {
  try {
    return new URL(url).origin;
  } catch {
    return null;
  }
}

// The first whose condition holds is shown. A further screen is a row here and a panel in templates/pages/flow.html.
const SCREENS = {
  revoked: (view) => view.status === "revoked",
  connected: (view, local) => view.status === "connected" && !isAdding(view, local),
  // Unless the provider refused everything while the secure page can still be used to correct it.
  submitted: (view, local) => view.status === "submitted" && !isAdding(view, local) && !(refused(view) && view.link.url),
  // Before `expired` and `failed`, which say that what was finished is kept.
  reopened: (view, local) => local.reopened && !local.again && !ACHIEVED.includes(view.status),
  expired: (view) => view.status === "expired",
  failed: (view) => view.status === "failed" || view.link.status === "failed",
  phone: (view) => view.onPhone,
  handoff: (view, local) => local.handoff,
  preparing: (view) => !view.link.url && !isLinkOver(view),
  confirming: (view, local) => isLinkOver(view) || local.waiting || (view.finished && !local.back && !attention(view) && !local.again),
  provider: () => true,
};

/** Names the panel to show. `local` is this page's own state: a `screen` that overrides, `again`, `waiting`, `back`, `reopened`. */
export function screenOf(view, local) {
  if (local.screen) return local.screen;
  if (!view) return "preparing";
  return Object.keys(SCREENS).find((name) => SCREENS[name](view, local));
}

/** Where the user leaves, as `exit_stage` of the service: the provider's log tells more than our own screen. */
export function stageOf(screen, view) {
  return screen === "provider" && view?.providerStep ? `provider_${view.providerStep}` : screen;
}

function conditionsOf(screen, view, local) {
  const wrong = view?.connections.filter((connection) => connection.needsAttention).length ?? 0;
  const reusable = view?.link.kind === "magic_link" && view.mode === "connect" && view.link.url;
  const again = reusable || view?.another;
  const unsaid = local.again ? "nothing" : "asking"; // by a session that is connected, whose magic link is used once more
  const guessed = view?.spentHandoff && view.spentHandoff === local.offer;
  const flags = {
    ended: ENDED.includes(screen),
    leave: local.greeted && UNENDED.includes(screen) && (screen !== "preparing" || view || local.offline || local.modal),
    close: local.modal && !UNENDED.includes(screen), // nothing else closes the dialog on a touch screen
    attention: wrong > 0,
    works: screen === "connected" && !stopped(view),
    complete: screen === "connected" && !view.connections.some(hasStopped),
    handed: screen === "submitted" && !stopped(view),
    attentive: ACHIEVED.includes(screen) && stopped(view),
    ...adviceConditions(screen, view),
    // The panel `confirming` has no other heading. After a correction the provider may still report the refusal.
    [((local.asking || (wrong && local.waiting)) && "asking") || view?.waiting || unsaid]: !wrong || screen === "confirming",
    seen: view?.seen,
    unconfirmed: view?.confirming && !wrong && !local.reopened, // nothing is waited for after `session.reopened`
    moved: local.reopened && !wrong,
    recorded: view?.connections.length,
    done: view?.doneUrl,
    unsigned: view && !view.doneUrl,
    again,
    spent: !again,
    offline: local.offline,
    unasked: !local.asked,
    asked: local.asked === "waiting",
    unanswered: local.asked === "unanswered",
    scripted: true,
    usable: view?.link.url,
    "scripted-provider": screen === "provider" && view?.link.url && !ACHIEVED.includes(view.status), // then no handoff is made
    offered: local.handoff === "offered" && !guessed,
    unoffered: local.handoff === "over" && !guessed,
    guessed,
  };
  return new Set([screen, ...Object.keys(flags).filter((name) => flags[name])]);
}

const holds = (names, conditions) => names.split(" ").some((name) => conditions.has(name));

/** Draws views. `onOpen` is called whenever a page of the provider has loaded in the frame. */
export class Screen {
  constructor(main, onOpen) {
    this.main = main;
    this.onOpen = onOpen;
    this.slot = main.querySelector("[data-slot]");
    this.banner = main.querySelector(".banner");
    this.status = main.querySelector("#say");
    this.name = null;
    watchMore(main);
    wide.addEventListener("change", () => this.local && this.draw(this.view, this.local)); // it may come before the first view
  }

  get frame() {
    return this.slot.querySelector("iframe");
  }

  draw(view, local) {
    // At top level the template has drawn a view, which a draw without one would take away.
    if (!view && !local.screen && this.main.dataset.stage === "open") return void (this.banner.hidden = !local.offline);
    [this.view, this.local] = [view, local];
    const name = screenOf(view, local);
    const before = this.name;
    if (name !== before) this.enter(name);
    if (view) this.fill(view);
    if (view && name === "provider") this.place(view, name);
    const held = document.activeElement;
    this.reveal(conditionsOf(name, view, local));
    const isLost = held !== document.body && this.main.contains(held) && !visible(held); // hidden, as a pressed button may be
    if (before !== null && (name !== before || isLost)) this.focus(name);
    if (view && name !== "provider") this.place(view, name); // after the focus has moved: the frame may have had it
  }

  enter(name) {
    this.name = name;
    this.slow = false;
    clearTimeout(this.slowTimer);
    if (!SLOW_AFTER_MS[name]) return;
    this.slowTimer = setTimeout(() => {
      this.slow = true;
      this.draw(this.view, this.local);
    }, SLOW_AFTER_MS[name]);
  }

  reveal(conditions) {
    if (this.slow) conditions.add("slow");
    for (const element of this.main.querySelectorAll("[data-show]")) {
      element.hidden = !holds(element.dataset.show, conditions);
    }
    for (const button of this.main.querySelectorAll("[data-main]")) button.classList.toggle("main", holds(button.dataset.main, conditions));
    const announced = [...this.main.querySelectorAll("[data-say]")].filter(visible);
    const text = announced.map((element) => element.textContent.trim().replace(/\s+/g, " ")).join(" ");
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  fill(view) {
    for (const link of this.main.querySelectorAll("a[data-done]")) if (view.doneUrl) link.href = view.doneUrl;
    for (const link of this.main.querySelectorAll("a[data-link]")) if (view.link.url) link.href = view.link.url;
    const rows = view.connections.map((connection) => this.row(connection));
    this.main.querySelector("[data-connections]").replaceChildren(...rows);
    fillAdvice(this.main, view);
    this.code(view.failure?.code);
    if (view.unreachableSince) this.since(new Date(view.unreachableSince));
  }

  since(date) {
    const time = this.main.querySelector("[data-since]");
    const day = date.toDateString() === new Date().toDateString() ? {} : { dateStyle: "medium" };
    time.dateTime = date.toISOString();
    time.textContent = date.toLocaleString(timeLocale(), { timeStyle: "short", ...day });
  }

  code(code) {
    this.main.querySelector("[data-code-line]").hidden = !code;
    this.main.querySelector("[data-code]").textContent = code || "";
  }

  row(connection) {
    const row = document.getElementById("connection").content.cloneNode(true);
    const name = row.querySelector("[data-name]");
    name.textContent = connection.provider || name.textContent;
    for (const label of row.querySelectorAll("[data-label]")) label.hidden = label.dataset.label !== connection.words;
    return row;
  }

  // The frame stays while its panel is hidden, so that what the user typed there is kept; it is removed after the flow.
  place(view, name) {
    if (!["provider", "confirming", "handoff"].includes(name)) this.slot.replaceChildren();
    const framed = view.link.framable && (wide.matches || (this.frame && this.main.dataset.way === "frame"));
    this.main.dataset.way = framed ? "frame" : "window";
    if (!framed) this.slot.replaceChildren();
    if (name !== "provider" || !framed || this.frame?.getAttribute("src") === view.link.url) return;
    const frame = document.getElementById("frame").content.firstElementChild.cloneNode();
    frame.addEventListener("load", () => this.onOpen(), { once: true });
    frame.src = view.link.url;
    this.slot.replaceChildren(frame);
  }

  // Focus moves to the new panel, but not out of the host page, and not out of an element that stays visible.
  focus(name) {
    const held = document.activeElement;
    if (!document.hasFocus() || (name === "provider" && held !== document.body && visible(held))) return;
    const targets = [...this.main.querySelectorAll("[data-focus]"), this.frame, this.main.querySelector(".window a")];
    targets.find(visible)?.focus({ preventScroll: true });
  }
}
