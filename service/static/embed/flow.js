// One flow on the host's page: its dialog or place, its frame, and the messages of the page in it.
// Only messages of its own frame and of the origin of `url` are accepted: any window can post to the host page.
const MESSAGE_MS = 250; // a page of ours posts before its frame has loaded; the message may arrive this much later
const LOAD_MS = 2_500;
const PROBE_MS = 1_200;
const CLOSE_MS = 1_500;
const PROBE = 2; // the third page that a frame tries
const CAN_BE_CREDENTIALLESS = "credentialless" in HTMLIFrameElement.prototype;
const NOWHERE = "/embed/-"; // a page of ours that any page may frame, and that needs no session
const HANDLERS = {
  ready: "onReady", open: "onOpen", finished: "onFinished", submitted: "onSubmitted", connected: "onConnected",
  attention: "onAttention", ambiguous: "onAmbiguous", exit: "onExit", expired: "onExpired", error: "onError",
  event: "onEvent", closed: "onClosed",
};
const flows = new Set(); // those that are neither removed nor being closed

function messageOf(type, sessionId, more) {
  return { type, sessionId, seq: 0, at: new Date().toISOString(), ...more };
}

/** Returns the outcome if this message ends its flow. */
function endOf({ type, asked, retryable, code }) {
  if (type === "error") return retryable ? undefined : code;
  return ["submitted", "connected", "exit", "expired"].includes(type) && !asked ? type : undefined;
}

class Flow {
  #options = {}; #address; #place; #dialog = null; #frame = null; #notice = null; #timers = []; #opener = null; #holder; #fluid; #height = null; #look;
  #open = false; #attempt = 0; #loads = 0; #heard = 0; #emitted = false; #failure = null; #ended = null; #closing = false; #session = null;

  /** `holder`: the element whose height follows the page; the dialog, if there is no container. Nothing starts before `show`. */
  constructor(address, container, holder, options) {
    this.#address = address;
    this.#options = options;
    this.container = container;
    this.waits = false; // for the host page to give another url
    if (!container) {
      this.#dialog = makeDialog(() => this.#dismiss());
      document.body.append(this.#dialog);
    }
    this.#place = this.#dialog ?? container;
    this.#holder = this.#dialog ?? holder;
    this.#fluid = !this.#holder && !((container.clientHeight ?? container.host.clientHeight) >= 60); // the host gave it no height
    window.addEventListener("message", this.#receive);
    document.addEventListener("securitypolicyviolation", this.#onViolation);
    flows.add(this);
    this.handle = handleOf(this);
    this.load();
  }

  get url() { return this.#address.href; }
  get isThere() { return (this.#frame ?? this.#notice)?.isConnected; }

  /** Begins anew in the same place with another address. */
  go(address) {
    if (!this.#place) throw wrong("this flow is closed. Open another one.");
    flows.add(this);
    this.#address = address;
    this.#emitted = this.#closing = this.waits = false;
    this.#ended = null;
    this.load();
  }

  load() {
    this.#clear();
    this.#attempt = 0;
    this.#failure = null;
    this.#frameAt(this.#page(), window.crossOriginIsolated);
    this.#after(LOAD_MS, () => this.#heard || this.#attempt || this.#fail("load_timeout", true));
  }

  // The page is drawn as it shall look: a message would come after it was seen.
  #page() {
    const page = new URL(this.#address);
    this.#look = lookOf(this.#options.theme, this.#holder ?? this.container.host ?? this.container);
    page.searchParams.set("look", this.#look);
    if (this.#options.locale) page.searchParams.set("locale", this.#options.locale);
    return page.href;
  }

  /** Tells the page where its look has changed since. */
  restyle(options) {
    Object.assign(this.#options, options);
    const before = this.#look;
    this.#page();
    if (this.#heard && this.#look !== before) this.#send("look", { look: this.#look });
  }

  show(options) {
    if (this.#open) return;
    this.#options = options;
    this.#open = true;
    this.#opener = document.activeElement;
    this.#dialog?.showModal();
    if (this.#failure) return this.#failure[1] ? this.load() : this.#fail(...this.#failure);
    this.#frame.style.visibility = "";
    this.restyle();
    if (this.#heard) this.#greet();
  }

  /** Lets the page in the frame exit, then removes it. A flow that has emitted nothing yet is removed in silence. */
  close() {
    if (this.#closing || !this.#place) return;
    if (!this.#emitted || this.#ended) return this.remove();
    this.#dismiss();
  }

  #dismiss() {
    if (this.#closing) return;
    this.#closing = true;
    flows.delete(this); // what is opened now is another flow: the page of this one is about to leave
    if (!this.#frame || !this.#heard) return this.#endWithout("loading");
    this.#send("close");
    this.#after(CLOSE_MS, () => this.#endWithout("unknown"));
  }

  #endWithout(stage) {
    const ended = this.#ended;
    this.remove();
    if (ended) this.#emit(messageOf("closed", this.#session, { outcome: ended }));
    else this.#emit(messageOf("exit", this.#session, { stage, reason: "closed", outcome: "none" }));
  }

  #frameAt(src, credentialless) {
    this.#frame?.remove();
    this.#addControl();
    this.#loads = this.#heard = 0;
    const frame = makeFrame(src, credentialless, !this.#open);
    frame.onload = () => {
      this.#loads += 1;
      this.#after(MESSAGE_MS, () => frame === this.#frame && this.#heard < this.#loads && this.#diagnose());
    };
    this.#frame = frame;
    this.#fit(null);
    this.#place.append(frame);
  }

  // The frame has loaded, and its page is not ours. A browser does not say why: so the frame tries once more without
  // credentials, which embedder policies ask for, and then a page that any page may frame. If that comes, framing was refused.
  #diagnose() {
    this.#attempt += 1;
    if (this.#attempt === 1 && CAN_BE_CREDENTIALLESS && !this.#frame.credentialless) return this.#frameAt(this.#page(), true);
    if (this.#attempt > PROBE) return this.#fail("unavailable", true);
    this.#attempt = PROBE;
    this.#frameAt(this.#address.origin + NOWHERE, true);
    this.#frame.style.visibility = "hidden";
    this.#after(PROBE_MS, () => this.#fail("unavailable", true));
  }

  #onViolation = ({ blockedURI, effectiveDirective, disposition }) => {
    if (this.#heard || effectiveDirective !== "frame-src" || disposition !== "enforce") return;
    if (parsed(blockedURI)?.origin === this.#address.origin) this.#fail("blocked", false);
  };

  #fail(code, retryable) {
    this.#failure = [code, retryable];
    if (!this.#open || !this.#place) return;
    this.#clear(code === "load_timeout");
    this.#addControl();
    if (!retryable) this.#ended ??= code;
    this.#notice = makeNotice(code, retryable && (() => this.load()));
    this.#place.append(this.#notice);
    console.error(`MagicLink: ${CHECKS[code]} ${this.#address.origin}`);
    this.#emit(messageOf("error", this.#session, { code, retryable, requestId: null }));
  }

  #clear(keepsFrame) {
    this.#notice?.remove();
    this.#notice = null;
    if (keepsFrame) return void (this.#frame.style.display = "none");
    this.#timers.forEach(clearTimeout);
    this.#frame?.remove();
    this.#frame = null;
  }

  #receive = (event) => {
    const { data } = event;
    if (!event.source || event.source !== this.#frame?.contentWindow || event.origin !== this.#address.origin) return;
    if (data?.source === "magiclink-frame") return this.#hear(data);
    if (data?.source !== "magiclink" || !Object.hasOwn(HANDLERS, data.type)) return;
    const { source, ...payload } = data;
    this.#session = payload.sessionId;
    this.#ended = payload.type === "ready" ? null : endOf(payload) ?? this.#ended;
    this.waits = payload.type === "expired" ? payload.asked : this.waits && payload.type !== "ready";
    if (["exit", "closed"].includes(payload.type) && (this.#dialog || this.#closing)) this.remove();
    this.#emit(payload);
  };

  // What concerns the frame itself, and not the host.
  #hear(data) {
    if (data.type === "loaded") this.#welcome(data.title);
    else if (data.type === "refused") this.#refuse(data.code);
    else if (data.type === "resume") this.#keep(data);
    else if (data.type === "size") this.#fit(data.height);
  }

  #welcome(title = TITLE) {
    this.#heard += 1;
    this.#frame.title = title;
    this.#dialog?.setAttribute("aria-label", title);
    this.#notice?.remove();
    this.#notice = this.#failure = null;
    this.#frame.style.display = "block";
    if (this.#open) this.#greet();
  }

  // From here on the page in the frame shows a close button of its own, and handles Escape.
  #greet() {
    const button = this.#dialog?.querySelector("button");
    if (button && button === document.activeElement) this.#frame.focus();
    button?.remove();
    if (this.#dialog) this.#send("modal");
    this.#page(); // finds the look of now: it may have changed while the page was loading, with or without an event
    this.#send("look", { look: this.#look });
    this.#send("start");
  }

  #refuse(code) {
    this.#heard += 1;
    if (this.#attempt >= PROBE) this.#fail("blocked", false);
    else if (code === "not_found") this.#fail(code, false);
    else this.#fail("unavailable", true);
  }

  #keep({ sessionId }) {
    if (/^ses_\w{1,64}$/.test(sessionId)) this.#send("resume", { sessionId, value: keptValue(sessionId) });
  }

  // Our own states need the height of their content, the provider's page (null) all there is.
  #fit(height) {
    const { minHeight, maxHeight } = this.#options;
    this.#height = height;
    const own = Number.isFinite(height) ? `clamp(${lengthOf(minHeight, "0px")}, ${height}px, ${lengthOf(maxHeight, "100vh")})` : "";
    if (this.#holder) this.#holder.style.setProperty("--magiclink-height", own);
    else if (this.#fluid) this.#frame.style.height = own || `max(${lengthOf(minHeight, "0px")}, min(52rem, 90vh))`;
  }

  limit({ minHeight, maxHeight }) {
    Object.assign(this.#options, { minHeight, maxHeight });
    this.#fit(this.#height);
  }

  #addControl() {
    if (!this.#dialog || this.#dialog.querySelector("button")) return;
    this.#dialog.prepend(makeButton(_("Close"), "×", () => this.#dismiss()));
  }

  #send(type, more = {}) {
    this.#frame?.contentWindow?.postMessage({ source: "magiclink-host", type, ...more }, this.#address.origin);
  }

  #emit(payload) {
    this.#emitted = true;
    try {
      this.#options[HANDLERS[payload.type]]?.(payload);
    } catch (error) {
      reportError(error); // an error in the host's handler appears in its console, and the dialog still closes
    }
  }

  #after(wait, act) {
    this.#timers.push(setTimeout(() => this.#frame && act(), wait));
  }

  remove() {
    if (!this.#place) return;
    flows.delete(this);
    window.removeEventListener("message", this.#receive);
    document.removeEventListener("securitypolicyviolation", this.#onViolation);
    this.#clear();
    this.#dialog?.close();
    this.#dialog?.remove();
    this.#place = null;
    if (this.#dialog && document.activeElement === document.body) this.#opener?.focus?.();
  }
}

whenSchemeChanges(() => flows.forEach((flow) => flow.restyle()));

function lengthOf(value, otherwise) {
  const length = Number.isFinite(value) ? `${value}px` : value;
  return length && CSS.supports("height", length) ? length : otherwise;
}
