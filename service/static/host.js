// Posts messages to the host page, the frame's parent: codes and ids, never a token. A flow begins with `begin` and ends
// with the first message that ends it; what may follow an end is in AFTER_END. Reference: the table at /docs#messages.
const AFTER_END = ["connected", "attention", "event", "closed"];

const summary = ({ connections }) => connections.map(({ id, status, state }) => ({ id, status, state }));
const works = ({ state }) => state === "working";
const handed = ({ state }) => state === "checking" || state === "delayed";

/** Names what a flow without result leaves behind: `none`, `confirming` or `attention`. */
export function outcomeOf(view) {
  if (view?.connections.some(({ needsAttention }) => needsAttention)) return "attention";
  return view?.finished ? "confirming" : "none";
}

/** Returns the outcome if this message ends a flow, else null. */
function ending(type, more) {
  if (type === "submitted" || type === "connected" || type === "exit") return type;
  if (type === "expired") return more.asked ? null : type;
  return type === "error" && !more.retryable ? more.code : null;
}

export class Host {
  constructor(sessionId, origin, embedded) {
    Object.assign(this, { sessionId, origin, there: embedded && window.parent !== window });
    this.begin();
  }

  /** A new flow: its messages may be posted again. */
  begin() {
    Object.assign(this, { ready: false, opened: false, ended: null, ambiguous: false, finished: false });
    Object.assign(this, { connected: new Set(), attentive: new Set(), closed: false });
  }

  /** What was connected no longer is: it may be posted again, and an ended flow has no outcome now. */
  forget() {
    this.connected.clear();
    if (this.ended) this.ended = "none";
  }

  /** Posts to embed.js, which answers what concerns the frame itself and does not pass it on. */
  tell(type, more = {}) {
    if (this.there) window.parent.postMessage({ source: "magiclink-frame", type, sessionId: this.sessionId, ...more }, this.origin);
  }

  post(view, type, more = {}) {
    const asks = type === "expired" && more.asked;
    if (this.ended && !asks && !AFTER_END.includes(type)) return;
    this.ended = ending(type, more) ?? this.ended;
    if (!this.there) return;
    const { sessionId } = this;
    const message = { source: "magiclink", type, sessionId, seq: view?.seq ?? 0, at: view?.at ?? new Date().toISOString(), ...more };
    window.parent.postMessage(message, this.origin);
  }

  postReady(view) {
    if (!this.ready) this.post(view, "ready");
    this.ready = true;
  }

  postOpen(view, way) {
    if (!this.opened) this.post(view, "open", { way });
    this.opened = true;
  }

  postFinished(view) {
    this.finished = true;
    this.post(view, "finished");
  }

  postError(view, code, retryable, requestId = null) {
    this.post(view, "error", { code, retryable, requestId });
  }

  /** The user leaves: `exit` where the flow has no end yet, `closed` where it has; each once. */
  postLeft(view, stage, reason) {
    if (!this.ended) return this.post(view, "exit", { stage, reason, outcome: outcomeOf(view) });
    if (this.ended !== "exit" && !this.closed) this.post(view, "closed", { outcome: this.ended });
    this.closed = true;
  }

  /** Posts how this view ends the flow, if it does; `screen` is the panel that shows it. */
  postEnd(view, screen) {
    if (screen === "expired") this.post(view, "expired", { asked: false });
    if (screen === "revoked") this.postError(view, "revoked", false);
    if (screen === "failed") this.postError(view, view.failure?.code ?? "failed", false);
  }

  /** Posts what this view has brought, and returns its type: the user's part is done, or one more account works. */
  postResults(view) {
    this.postAttention(view);
    if (view.ambiguous && this.finished && !this.ambiguous) this.post(view, "ambiguous");
    this.ambiguous ||= view.ambiguous && this.finished;
    if (view.status === "revoked") return null;
    const fresh = view.connections.filter((one) => works(one) && !this.connected.has(one.id));
    if (view.status === "connected" && fresh.length) {
      fresh.forEach(({ id }) => this.connected.add(id));
      this.post(view, "connected", { connections: summary(view) });
      return "connected";
    }
    if (!isHandedOver(view) || this.ended) return null;
    this.post(view, "submitted", { connections: summary(view), uploads: [] });
    return "submitted";
  }

  // Once for each time that a connection begins to need the user.
  postAttention(view) {
    for (const { id, state, needsAttention } of view.connections) {
      if (!needsAttention) this.attentive.delete(id);
      else if (!this.attentive.has(id)) {
        this.attentive.add(id);
        this.post(view, "attention", { connections: summary(view), reason: state });
      }
    }
  }
}

// A session that was connected stays so, though its account may be checked once more.
const isHandedOver = (view) => ["submitted", "connected"].includes(view.status) && view.connections.some(handed);
