// Posts messages to the host page, the frame's parent: codes and ids, never a token. Each result is posted once.
const summary = ({ connections }) => connections.map(({ id, status, state }) => ({ id, status, state }));

export class Host {
  constructor(sessionId, origin, embedded) {
    Object.assign(this, { sessionId, origin, there: embedded && window.parent !== window });
    Object.assign(this, { ready: false, opened: false, exited: false, ambiguous: false });
    this.forget();
  }

  /** The results may be posted again: what was connected no longer is. */
  forget() {
    Object.assign(this, { submitted: false, connected: 0 });
  }

  post(view, type, more = {}) {
    if (!this.there) return;
    const { sessionId } = this;
    const message = { source: "magiclink", type, sessionId, seq: view?.seq ?? 0, at: view?.at ?? new Date().toISOString(), ...more };
    window.parent.postMessage(message, this.origin);
  }

  postReady(view) {
    if (!this.ready) this.post(view, "ready");
    this.ready = true;
    this.exited = false;
  }

  postOpen(view) {
    if (!this.opened) this.post(view, "open");
    this.opened = true;
  }

  postExit(view, stage, reason) {
    if (!this.exited) this.post(view, "exit", { stage, reason });
    this.exited = true;
  }

  /** Posts what this view has brought, and returns its type: the user's part is done, or one more account works. */
  postResults(view) {
    const working = view.connections.filter((connection) => !connection.needsAttention).length;
    const submitted = view.status === "submitted" && !this.submitted;
    const connected = view.status === "connected" && working > this.connected;
    if (submitted) this.post(view, "submitted", { connections: summary(view), uploads: [] });
    if (connected) this.post(view, "connected", { connections: summary(view) });
    if (view.ambiguous && !this.ambiguous) this.post(view, "ambiguous");
    this.ambiguous ||= view.ambiguous;
    this.submitted ||= submitted;
    if (connected) this.connected = working;
    return connected ? "connected" : submitted ? "submitted" : null;
  }
}
