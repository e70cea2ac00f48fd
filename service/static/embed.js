// Runs on the host's page: <magic-link url="…"> and MagicLink.open({url, …}). Needs no build, no inline style.
// Only messages of its own frame and of the origin of `url` are accepted: any window can post to the host page.
// Only embed pages of this script's own origin are framed: markup or data that an attacker controls may hold another `url`.
(() => {
  "use strict";
  if (window.MagicLink) return;

  const LOAD_MS = 20_000;
  const CLOSE_MS = 1_500;
  const TITLE = "Connect a utility account";
  const HANDLERS = {
    ready: "onReady", open: "onOpen", finished: "onFinished", submitted: "onSubmitted", connected: "onConnected", ambiguous: "onAmbiguous",
    exit: "onExit", expired: "onExpired", error: "onError", event: "onEvent",
  };

  // In a module there is no loading tag: then only what `open` is given counts. An <img name="currentScript"> is not one.
  const loader = document.currentScript instanceof HTMLScriptElement ? document.currentScript : null;

  // Constructed sheets and style properties pass a host's Content-Security-Policy where style attributes do not.
  const sheet = (rules) => {
    const made = new CSSStyleSheet();
    made.replaceSync(rules);
    return made;
  };
  const DIALOG = sheet(`
    dialog.magiclink { box-sizing: border-box; width: min(70rem, 100vw - 2rem); height: min(56rem, 100vh - 2rem); max-width: none; max-height: none;
      margin: auto; padding: 0; border: 0; border-radius: 16px; overflow: hidden; background: Canvas; box-shadow: 0 24px 80px rgb(0 0 0 / 35%); }
    dialog.magiclink::backdrop { background: rgb(10 18 16 / 55%); }
    dialog.magiclink > button { position: absolute; inset: .625rem .625rem auto auto; width: 2.75rem; height: 2.75rem; padding: 0; border: 0;
      border-radius: 10px; background: transparent; color: CanvasText; font: 1.5rem/1 system-ui, sans-serif; cursor: pointer; }
    dialog.magiclink > button:focus-visible { outline: 3px solid Highlight; }
    :root:has(> body > dialog.magiclink[open]) { overflow: hidden; }
    @media (max-width: 44rem) { dialog.magiclink { width: 100vw; height: 100vh; height: 100dvh; border-radius: 0; } }`);
  const ELEMENT = sheet(`
    :host { display: block; width: 100%; height: min(52rem, 90vh); min-height: 34rem; overflow: hidden; }
    :host([hidden]) { display: none; }`);

  function parsed(text) {
    try {
      return new URL(text);
    } catch {
      return null;
    }
  }

  const listed = (origins) => (typeof origins === "string" ? origins.split(/[\s,]+/) : [...(origins ?? [])]);

  // An entry that is not an origin counts for nothing. A sandboxed page's `null` is none.
  const originsOf = (entries) => entries.map((entry) => parsed(entry)?.origin).filter((origin) => origin && origin !== "null");

  const ALLOWED = originsOf([loader?.src, ...listed(loader?.getAttribute("allowed-origin"))]);

  /** Returns the parsed `url`. Throws TypeError unless it is an embed page of an allowed origin. */
  function addressOf(url, more) {
    if (url === null || url === undefined || url === "") {
      throw new TypeError("MagicLink: url is missing. Give the session's embedUrl, which is null for a session without `origin`.");
    }
    const address = parsed(url);
    if (!address) throw new TypeError("MagicLink: url is not a whole address. Give the session's embedUrl as the service answered it.");
    if (![...ALLOWED, ...originsOf(listed(more))].includes(address.origin)) {
      throw new TypeError(
        `MagicLink: ${address.origin} is not allowed. Load embed.js from the origin of embedUrl, or name that origin in the script tag's allowed-origin or in open's allowedOrigin.`,
      );
    }
    if (!/^\/embed\/[^/]+$/.test(address.pathname)) {
      throw new TypeError("MagicLink: url is not an embed page. Give the session's embedUrl; redirectUrl is for the whole window.");
    }
    return address;
  }

  // Where the frame's own storage throws, its value is kept here. It starts this session's page again and opens nothing else,
  // but scripts of the host page can read it: the service notes that.
  function keptValue(sessionId) {
    try {
      const name = `magiclink:${sessionId}`;
      const found = sessionStorage.getItem(name);
      if (/^[\w-]{43}$/.test(found ?? "")) return found;
      const bytes = crypto.getRandomValues(new Uint8Array(32));
      const made = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
      sessionStorage.setItem(name, made);
      return sessionStorage.getItem(name);
    } catch {
      return null;
    }
  }

  function makeFrame(address) {
    const frame = document.createElement("iframe");
    frame.title = TITLE;
    frame.allow = "clipboard-write; fullscreen";
    frame.referrerPolicy = "no-referrer"; // frame-ancestors decides who may frame us; the host page's URL is not needed, and may be secret
    Object.assign(frame.style, { display: "block", width: "100%", height: "100%", border: "0", colorScheme: "auto" });
    frame.src = address.href;
    return frame;
  }

  function makeDialog(close) {
    if (!document.adoptedStyleSheets.includes(DIALOG)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, DIALOG];
    const dialog = document.createElement("dialog");
    dialog.className = "magiclink";
    dialog.setAttribute("aria-label", TITLE);
    const button = document.createElement("button"); // until the page in the frame shows one of its own
    button.type = "button";
    button.textContent = "×";
    button.setAttribute("aria-label", "Close");
    button.addEventListener("click", close);
    dialog.append(button);
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      close();
    });
    return dialog;
  }

  function find(container) {
    const found = typeof container === "string" ? document.querySelector(container) : container;
    if (!found || typeof found.append !== "function") throw new TypeError("MagicLink: container not found");
    return found;
  }

  class Flow {
    #options; #origin; #frame; #dialog = null; #received = false; #exited = false; #closing = false; #timers = []; #session = null;

    constructor(options) {
      const address = addressOf(options.url, options.allowedOrigin);
      const container = options.container && find(options.container);
      this.#options = options;
      this.#origin = address.origin;
      this.#frame = makeFrame(address);
      window.addEventListener("message", this.#receive);
      this.#after(LOAD_MS, () => this.#received || this.#emit(this.#message("error", { code: "load_timeout", retryable: true, requestId: null })));
      if (container) container.append(this.#frame);
      else this.#show();
    }

    /** Lets the page in the frame exit, then removes it. `onExit` is called once, even if the page does not answer. */
    close() {
      if (this.#closing || !this.#frame) return;
      this.#closing = true;
      if (this.#exited) return this.remove();
      if (!this.#received) return this.#exitWithout("loading");
      this.#frame.contentWindow?.postMessage({ source: "magiclink-host", type: "close" }, this.#origin);
      this.#after(CLOSE_MS, () => this.#exitWithout("unknown"));
    }

    #show() {
      this.#dialog = makeDialog(() => this.close());
      this.#dialog.append(this.#frame);
      document.body.append(this.#dialog);
      this.#dialog.showModal();
    }

    #receive = (event) => {
      const { data } = event;
      if (!event.source || event.source !== this.#frame.contentWindow || event.origin !== this.#origin) return;
      if (data?.source === "magiclink-frame" && data.type === "resume") return this.#keep(data);
      if (data?.source !== "magiclink" || !Object.hasOwn(HANDLERS, data.type)) return;
      this.#session = data.sessionId;
      this.#exited = data.type === "exit" || (this.#exited && data.type !== "ready");
      if (this.#dialog && !this.#received) this.#handOverControls();
      this.#received = true;
      const { source, ...payload } = data;
      if (data.type === "exit" && (this.#dialog || this.#closing)) this.remove();
      this.#emit(payload);
    };

    #keep({ sessionId }) {
      if (!/^ses_\w{1,64}$/.test(sessionId)) return;
      const answer = { source: "magiclink-host", type: "resume", sessionId, value: keptValue(sessionId) };
      this.#frame.contentWindow.postMessage(answer, this.#origin);
    }

    // After its first message the page in the frame shows a close button of its own, and handles Escape.
    #handOverControls() {
      const button = this.#dialog.querySelector("button");
      if (button === document.activeElement) this.#frame.focus();
      button.remove();
      this.#frame.contentWindow.postMessage({ source: "magiclink-host", type: "modal" }, this.#origin);
    }

    #message(type, more) {
      return { type, sessionId: this.#session, seq: 0, at: new Date().toISOString(), ...more };
    }

    #emit(payload) {
      try {
        this.#options[HANDLERS[payload.type]]?.(payload);
      } catch (error) {
        reportError(error); // an error in the host's handler appears in its console, and the dialog still closes
      }
    }

    #exitWithout(stage) {
      this.remove();
      this.#emit(this.#message("exit", { stage, reason: "closed" }));
    }

    #after(wait, act) {
      this.#timers.push(setTimeout(() => this.#frame && act(), wait));
    }

    remove() {
      window.removeEventListener("message", this.#receive);
      this.#timers.forEach(clearTimeout);
      this.#dialog?.close();
      (this.#dialog ?? this.#frame)?.remove();
      this.#frame = this.#dialog = null;
    }
  }

  class MagicLinkElement extends HTMLElement {
    static observedAttributes = ["url"];
    #flow = null;

    constructor() {
      super();
      this.attachShadow({ mode: "open" }).adoptedStyleSheets = [ELEMENT];
    }

    get url() { return this.getAttribute("url"); }
    set url(value) { this.setAttribute("url", addressOf(value).href); }

    connectedCallback() { this.#restart(); }
    disconnectedCallback() { this.#restart(); }
    attributeChangedCallback(_name, before, now) { if (before !== now) this.#restart(); }

    close() { this.#flow?.close(); }

    #restart() {
      this.#flow?.remove();
      this.#flow = null;
      const { url } = this;
      if (!this.isConnected || url === null) return;
      const dispatch = (detail) => this.dispatchEvent(new CustomEvent(detail.type, { detail }));
      const handlers = Object.fromEntries(Object.values(HANDLERS).map((name) => [name, dispatch]));
      try {
        this.#flow = new Flow({ url, container: this.shadowRoot, ...handlers });
      } catch (error) {
        // An error thrown in a lifecycle callback cannot be caught: it is in the console, and the element says it by event.
        console.error(error.message);
        const detail = { type: "error", sessionId: null, seq: 0, at: new Date().toISOString(), code: "bad_url", retryable: false, requestId: null };
        whenListening(() => this.url === url && dispatch(detail));
      }
    }
  }

  // The host's listeners may be in a script that comes after this one.
  function whenListening(act) {
    if (document.readyState === "complete") setTimeout(act);
    else window.addEventListener("load", () => setTimeout(act), { once: true });
  }

  const open = (options) => {
    const flow = new Flow(options);
    return Object.freeze({ close: () => flow.close() });
  };
  window.MagicLink = Object.freeze({ open });
  if (!customElements.get("magic-link")) customElements.define("magic-link", MagicLinkElement);
})();
