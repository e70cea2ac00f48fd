// The public face: `MagicLink` and <magic-link>.
const PROPERTIES = { minHeight: "min-height", maxHeight: "max-height", theme: "theme", locale: "locale", url: "url" };

class MagicLinkElement extends HTMLElement {
  static observedAttributes = Object.values(PROPERTIES);
  #flow = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [ELEMENT];
  }

  connectedCallback() {
    for (const name in PROPERTIES) this.#upgrade(name);
    this.#restart();
  }
  disconnectedCallback() { this.#restart(); }
  connectedMoveCallback() {} // moveBefore: the frame goes along
  attributeChangedCallback(name, before, now) {
    if (name === "url") return before === now || this.#restart();
    this.#flow?.limit(this);
    this.#flow?.restyle({ theme: this.theme });
  }

  close() { this.#flow?.close(); }
  destroy() {
    this.#flow?.remove();
    this.#flow = null;
  }

  // A framework may have set the property before this class was there: then it hides the accessor.
  #upgrade(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete this[name];
    if ((value ?? null) !== null) this[name] = value;
  }

  #restart() {
    const { url, minHeight, maxHeight, theme, locale } = this;
    if (this.isConnected && this.#flow?.url === url && this.#flow.isThere) return;
    this.destroy();
    if (!this.isConnected || url === null) return;
    const dispatch = (detail) => this.dispatchEvent(new CustomEvent(detail.type, { detail }));
    const handlers = Object.fromEntries(Object.values(HANDLERS).map((name) => [name, dispatch]));
    try {
      const options = { minHeight, maxHeight, theme, locale, ...handlers };
      this.#flow = new Flow(addressOf(url), this.shadowRoot, this, options);
      this.#flow.show(options);
    } catch (error) {
      // An error thrown in a lifecycle callback cannot be caught: it is in the console, and the element says it by event.
      console.error(error.message);
      const detail = messageOf("error", null, { code: "bad_url", retryable: false, requestId: null });
      whenListening(() => this.url === url && dispatch(detail));
    }
  }
}

const textOf = (name, value) => (name === "url" ? addressOf(value).href : value?.trim ? value : JSON.stringify(value));
for (const [name, attribute] of Object.entries(PROPERTIES)) {
  Object.defineProperty(MagicLinkElement.prototype, name, {
    get() { return this.getAttribute(attribute); },
    set(value) { this.setAttribute(attribute, textOf(name, value)); },
  });
}

// The host's listeners may be in a script that comes after this one.
function whenListening(act) {
  if (document.readyState === "complete") setTimeout(act);
  else window.addEventListener("load", () => setTimeout(act), { once: true });
}

function handleOf(flow) {
  return Object.freeze({
    close: () => flow.close(),
    destroy: () => flow.remove(),
    get url() { return flow.url; },
    set url(url) { flow.go(addressOf(url, flow.allowedOrigin)); },
  });
}

function placeOf(container) {
  const found = typeof container === "string" ? document.querySelector(container) : container;
  if (!found || typeof found.append !== "function") throw wrong("container not found");
  return found;
}

/** Returns this page's flow for the url in this place: an earlier one, or a new one, which is not shown yet. */
function flowFor(options) {
  const { url, container, allowedOrigin } = options;
  const address = addressOf(url, allowedOrigin);
  if (!document.body) throw wrong("the page has no body yet. Load embed.js with defer, or wait for DOMContentLoaded.");
  const place = container ? placeOf(container) : null;
  for (const flow of flows) {
    const same = flow.url === address.href && flow.container === place;
    if (same && flow.isThere) return flow;
    if (same || (flow.waits && flow.container === place)) flow.remove();
  }
  return Object.assign(new Flow(address, place, null, options), { allowedOrigin });
}

const open = (options = {}) => {
  const flow = flowFor(options);
  flow.show(options);
  return flow.handle;
};
const prepare = (url, options = {}) => flowFor({ ...options, url }).handle;

window.MagicLink = Object.freeze({ open, prepare });
if (!customElements.get("magic-link")) customElements.define("magic-link", MagicLinkElement);
