// <magic-link-status>: a user's connections in a frame. Only status pages of this script's own origin are framed, and only
// messages of its own frames from that origin are accepted: any window can post to the host page.
const ORIGIN = originsOf([source])[0];
const LOAD_MS = 3_000;
const MESSAGE_MS = 250; // the page posts before its frame has loaded; the message may arrive this much later
const elements = new Set(); // those that are in the page
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const WORDS = _("The state of your accounts cannot be shown right now.");
const CHECKS = {
  not_found: "url leads to no status page: check that it is the whole statusUrl of this service.",
  unavailable: `the status page could not be loaded: check that statusUrl was made for the origin ${location.origin}, this page's frame-src, and the service at ${ORIGIN}.`,
};
const LOOK = sheet(`
  :host { display: block; position: relative; width: 100%; height: var(--magiclink-status-height, 4rem); overflow: hidden; }
  :host([hidden]) { display: none; }
  iframe { display: block; width: 100%; height: 100%; border: 0; }
  iframe.waits { position: absolute; inset: 0; visibility: hidden; }
  p { margin: 0; padding: .5rem 0; font: 1rem/1.5 system-ui; }
  button { min-height: 2.75rem; margin-inline-start: .75rem; padding: .5rem 1.125rem; border: 1px solid; border-radius: 10px; background: none; color: inherit; font: inherit; cursor: pointer; }`);

/** Returns the parsed `url`. Throws TypeError unless it is a status page of this script's origin. */
function statusAddressOf(url) {
  const address = parsed(url);
  if (!address) throw new TypeError("MagicLink: url is not a whole address. Give the statusUrl as the service answered it.");
  if (address.origin !== ORIGIN) throw new TypeError(`MagicLink: ${address.origin} is not allowed. Load embed-status.js from the origin of statusUrl.`);
  if (!/^\/status\/[^/]+$/.test(address.pathname)) throw new TypeError("MagicLink: url is not a status page. Give the statusUrl of GET /v1/users/{userId}/status.");
  return address;
}

class MagicLinkStatusElement extends HTMLElement {
  static observedAttributes = ["url", "theme", "locale"];
  #look = null; #frame = null; #next = null; #notice = null; #shown = null; #timers = [];

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [LOOK];
  }

  get theme() { return this.getAttribute("theme"); }
  set theme(value) { this.setAttribute("theme", value?.trim ? value : JSON.stringify(value)); }
  get url() { return this.getAttribute("url"); }
  set url(value) { this.setAttribute("url", statusAddressOf(value).href); }
  get locale() { return this.getAttribute("locale"); }
  set locale(value) { this.setAttribute("locale", value); }

  connectedCallback() {
    // A framework may have set the property before this class was there: then it hides the accessor.
    const early = ["theme", "locale", "url"].filter((name) => Object.hasOwn(this, name)).map((name) => [name, this[name]]);
    window.addEventListener("message", this.#receive);
    elements.add(this);
    for (const [name, value] of early) {
      delete this[name];
      if (value && name === "theme") this.theme = value;
      else if (value) this.setAttribute(name, value);
    }
    this.#show();
  }

  disconnectedCallback() {
    window.removeEventListener("message", this.#receive);
    elements.delete(this);
    this.#clear();
  }

  connectedMoveCallback() {} // moveBefore: the frame goes along
  attributeChangedCallback(name) { return name === "theme" ? this.restyle() : this.#show(); }

  /** Tells the page where its look has changed since. */
  restyle() {
    const look = this.isConnected && lookOf(this.theme, this);
    if (this.#shown && look !== this.#look) this.#sendLook();
  }

  #sendLook() {
    this.#look = lookOf(this.theme, this); // it may have changed without an event
    this.#frame?.contentWindow.postMessage({ source: "magiclink-host", type: "look", look: this.#look }, ORIGIN);
  }

  #show() {
    const { url, locale } = this;
    const asked = url === null ? null : `${locale} ${url}`;
    if (!this.isConnected || asked === this.#shown) return;
    if (url === null) return this.#clear();
    this.#shown = asked;
    try {
      this.#load(statusAddressOf(url));
    } catch (error) {
      this.#clear();
      this.#shown = asked;
      // An error thrown in a lifecycle callback cannot be caught; and the host's listeners may come after this script.
      console.error(error.message);
      const tell = () => setTimeout(() => this.url === url && this.#tell("error", { code: "bad_url" }));
      if (document.readyState === "complete") tell();
      else window.addEventListener("load", tell, { once: true });
    }
  }

  // What is shown stays until the new page has come.
  #load(address) {
    if (this.locale) address.searchParams.set("locale", this.locale);
    this.#stop();
    this.#look = lookOf(this.theme, this);
    address.searchParams.set("look", this.#look);
    this.#next?.remove();
    const frame = document.createElement("iframe");
    frame.title = _("Your utility accounts");
    frame.referrerPolicy = "no-referrer"; // frame-ancestors decides who may frame us; the host page's URL may be secret
    frame.className = "waits";
    frame.addEventListener("load", () => frame === this.#next && this.#after(MESSAGE_MS, () => this.#fail("unavailable")));
    frame.src = address.href; // before it is in the page: a change there would be an entry in the history
    this.#next = frame;
    this.shadowRoot.append(frame);
    this.#after(LOAD_MS, () => this.#fail("unavailable"));
  }

  #receive = ({ source: from, origin, data }) => {
    const frame = [this.#frame, this.#next].find((one) => from && one?.contentWindow === from);
    if (!frame || origin !== ORIGIN) return;
    if (data?.source === "magiclink-frame" && frame === this.#next) return this.#fail(data.code === "not_found" ? data.code : "unavailable");
    if (data?.source !== "magiclink-status") return;
    if (data.type === "loaded" && frame === this.#next) this.#welcome();
    else if (data.type === "size" && Number.isFinite(data.height)) this.style.setProperty("--magiclink-status-height", `${data.height}px`);
    else if (data.type === "mend" && UUID.test(data.connectionId)) this.#tell("mend", { connectionId: data.connectionId });
    else if (data.type === "expired" && !this.#next) this.#tell("expired", {});
  };

  #welcome() {
    this.#stop();
    this.#notice?.remove();
    this.#frame?.remove();
    this.#frame = this.#next;
    this.#frame.className = "";
    this.#notice = this.#next = null;
    this.#sendLook(); // it may have changed while the page was loading
  }

  #fail(code) {
    this.#stop();
    console.error(`MagicLink: ${CHECKS[code]}`);
    if (!this.#frame && !this.#notice) this.shadowRoot.append((this.#notice = this.#makeNotice()));
    this.#tell("error", { code });
  }

  #makeNotice() {
    const notice = document.createElement("p");
    notice.setAttribute("role", "alert");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = _("Try again");
    button.addEventListener("click", () => this.#load(statusAddressOf(this.url)));
    notice.append(WORDS, button);
    return notice;
  }

  #clear() {
    this.#stop();
    for (const one of [this.#frame, this.#next, this.#notice]) one?.remove();
    this.#frame = this.#next = this.#notice = this.#shown = null;
    this.style.removeProperty("--magiclink-status-height");
  }

  #tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
  #after(wait, act) { this.#timers.push(setTimeout(act, wait)); }
  #stop() { this.#timers.splice(0).forEach(clearTimeout); }
}

whenSchemeChanges(() => elements.forEach((one) => one.restyle()));
customElements.define("magic-link-status", MagicLinkStatusElement);
