// What the page shows for a view of the session; makes no request and sends no message.
// All words are in the page already: `data-show` names the marks that an element is shown on.
const ENDED = ["expired", "revoked", "failed"];
const PATIENCE_MS = { preparing: 10_000, confirming: 20_000 };
const wide = window.matchMedia("(min-width: 700px)"); // the provider's pages want desktop size

const visible = (element) => Boolean(element?.getClientRects().length);
const attention = (view) => Boolean(view?.connections.some((connection) => connection.needsAttention));

/** Names the panel to show. `here` is what only this page knows: a `screen` that overrules, `again`, `waiting`, `back`. */
export function screenOf(view, here) {
  if (here.screen) return here.screen;
  if (!view) return "preparing";
  if (ENDED.includes(view.status)) return view.status;
  if (view.status === "connected" && !here.again) return "connected";
  if (view.link.status === "failed") return "failed";
  if (view.link.status !== "ready" || !view.link.url) return "preparing";
  const confirming = here.waiting || (view.finished && !here.back && !attention(view) && !here.again);
  return confirming ? "confirming" : "provider";
}

function marksOf(screen, view, here) {
  const flags = {
    ended: ENDED.includes(screen),
    leave: screen === "preparing" && (view || here.offline), // before that the host page shows its own way out
    attention: attention(view),
    well: view && !attention(view),
    news: view?.confirming && !attention(view),
    recorded: view?.connections.length,
    done: view?.doneUrl,
    again: view?.link.kind === "magic_link" && view.mode === "connect" && view.link.url,
    offline: here.offline,
    asked: here.asked,
    scripted: true,
  };
  return new Set([screen, ...Object.keys(flags).filter((name) => flags[name])]);
}

/** Draws views. `onOpen` is called whenever a provider's page has come up in the frame. */
export class Screen {
  constructor(main, onOpen) {
    this.main = main;
    this.onOpen = onOpen;
    this.slot = main.querySelector("[data-slot]");
    this.status = main.querySelector("#say");
    this.name = null;
    wide.addEventListener("change", () => this.draw(this.view, this.here));
  }

  get frame() {
    return this.slot.querySelector("iframe");
  }

  draw(view, here) {
    [this.view, this.here] = [view, here];
    const name = screenOf(view, here);
    const before = this.name;
    if (name !== before) this.enter(name);
    if (view) this.fill(view);
    if (view && name === "provider") this.place(view, name);
    this.reveal(marksOf(name, view, here));
    if (before !== null && name !== before) this.focus(name);
    if (view && name !== "provider") this.place(view, name); // only now: the frame that goes may have held the focus
  }

  enter(name) {
    this.name = name;
    this.slow = false;
    clearTimeout(this.patience);
    if (!PATIENCE_MS[name]) return;
    this.patience = setTimeout(() => {
      this.slow = true;
      this.draw(this.view, this.here);
    }, PATIENCE_MS[name]);
  }

  reveal(marks) {
    if (this.slow) marks.add("slow");
    for (const element of this.main.querySelectorAll("[data-show]")) {
      element.hidden = !element.dataset.show.split(" ").some((mark) => marks.has(mark));
    }
    const spoken = [...this.main.querySelectorAll("[data-say]")].filter(visible);
    const words = spoken.map((element) => element.textContent.trim().replace(/\s+/g, " ")).join(" ");
    if (this.status.textContent !== words) this.status.textContent = words;
  }

  fill(view) {
    for (const link of this.main.querySelectorAll("a[data-done]")) if (view.doneUrl) link.href = view.doneUrl;
    for (const link of this.main.querySelectorAll("a[data-link]")) if (view.link.url) link.href = view.link.url;
    const rows = view.connections.map((connection) => this.row(connection));
    this.main.querySelector("[data-connections]").replaceChildren(...rows);
    this.code(view.failure?.code);
  }

  code(code) {
    this.main.querySelector("[data-code-line]").hidden = !code;
    this.main.querySelector("[data-code]").textContent = code || "";
  }

  row(connection) {
    const row = document.getElementById("connection").content.cloneNode(true);
    const name = row.querySelector("[data-name]");
    name.textContent = connection.provider || name.textContent;
    const shown = connection.needsAttention ? "attention" : connection.status === "CONNECTED" ? "connected" : "checking";
    for (const label of row.querySelectorAll("[data-label]")) label.hidden = label.dataset.label !== shown;
    return row;
  }

  // The frame stays while its panel is hidden, so that what the person typed there is kept; it goes when it has no more use.
  place(view, name) {
    if (!["provider", "confirming"].includes(name)) this.slot.replaceChildren();
    const framed = view.link.framable && (wide.matches || (this.frame && this.main.dataset.way === "frame"));
    this.main.dataset.way = framed ? "frame" : "window";
    if (!framed) this.slot.replaceChildren();
    if (name !== "provider" || !framed || this.frame?.getAttribute("src") === view.link.url) return;
    const frame = document.getElementById("frame").content.firstElementChild.cloneNode();
    frame.addEventListener("load", () => this.onOpen(), { once: true });
    frame.src = view.link.url;
    this.slot.replaceChildren(frame);
  }

  // Focus follows the panel only if it is ours to move: not out of the host page, and not out of a field that stays.
  focus(name) {
    const held = document.activeElement;
    if (!document.hasFocus() || (name === "provider" && held !== document.body && visible(held))) return;
    const targets = [...this.main.querySelectorAll("[data-focus]"), this.frame, this.main.querySelector(".window a")];
    targets.find(visible)?.focus({ preventScroll: true });
  }
}
