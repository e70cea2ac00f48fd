// The public face: `MagicLink` and <magic-link>.
class MagicLinkElement extends HTMLElement {
  static observedAttributes = ["url", "min-height", "max-height"];
  #flow = null;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [ELEMENT];
  }

  get url() { return this.getAttribute("url"); }
  set url(value) { this.setAttribute("url", addressOf(value).href); }
  get minHeight() { return this.getAttribute("min-height"); }
  set minHeight(value) { this.setAttribute("min-height", value); }
  get maxHeight() { return this.getAttribute("max-height"); }
  set maxHeight(value) { this.setAttribute("max-height", value); }

  connectedCallback() {
    for (const [name, attribute] of [["url", "url"], ["minHeight", "min-height"], ["maxHeight", "max-height"]]) this.#upgrade(name, attribute);
    this.#restart();
  }
  disconnectedCallback() { this.#restart(); }
  connectedMoveCallback() {} // moveBefore: the frame goes along
  attributeChangedCallback(name, before, now) {
    if (name !== "url") this.#flow?.limit(this);
    else if (before !== now) this.#restart();
  }

  close() { this.#flow?.close(); }
  destroy() {
    this.#flow?.remove();
    this.#flow = null;
  }

  // A framework may have set the property before this class was there: then it hides the accessor.
  #upgrade(name, attribute) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete this[name];
    if (value !== null && value !== undefined) this.setAttribute(attribute, value);
  }

  #restart() {
    const { url, minHeight, maxHeight } = this;
    if (this.isConnected && this.#flow?.url === url && this.#flow.isThere) return;
    this.destroy();
    if (!this.isConnected || url === null) return;
    const dispatch = (detail) => this.dispatchEvent(new CustomEvent(detail.type, { detail }));
    const handlers = Object.fromEntries(Object.values(HANDLERS).map((name) => [name, dispatch]));
    try {
      this.#flow = new Flow(addressOf(url), this.shadowRoot, this);
      this.#flow.show({ minHeight, maxHeight, ...handlers });
    } catch (error) {
      // An error thrown in a lifecycle callback cannot be caught: it is in the console, and the element says it by event.
      console.error(error.message);
      const detail = messageOf("error", null, { code: "bad_url", retryable: false, requestId: null });
      whenListening(() => this.url === url && dispatch(detail));
    }
  }
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
  if (!found || typeof found.append !== "function") throw new TypeError("MagicLink: container not found");
  return found;
}

/** Returns this page's flow for the url in this place: an earlier one, or a new one, which is not shown yet. */
function flowFor({ url, container, allowedOrigin }) {
  const address = addressOf(url, allowedOrigin);
  if (!document.body) throw new Error("MagicLink: the page has no body yet. Load embed.js with defer, or wait for DOMContentLoaded.");
  const place = container ? placeOf(container) : null;
  for (const flow of flows) {
    const same = flow.url === address.href && flow.container === place;
    if (same && flow.isThere) return flow;
    if (same || (flow.waits && flow.container === place)) flow.remove();
  }
  return Object.assign(new Flow(address, place), { allowedOrigin });
}

const open = (options = {}) => {
  const flow = flowFor(options);
  flow.show(options);
  return flow.handle;
};
const prepare = (url, options = {}) => flowFor({ ...options, url }).handle;

window.MagicLink = Object.freeze({ open, prepare });
if (!customElements.get("magic-link")) customElements.define("magic-link", MagicLinkElement);
