// The page's calls to the service: one POST, and one that is repeated until there is an answer.
import { pause, Refusal } from "./live.js";

const CALL_LIMIT_MS = 15_000;

export class Calls {
  #path; #onProblem; #onAnswer;

  /** `onProblem(error)` shows a problem and returns whether it is final; `onAnswer` is called after each answer. */
  constructor(path, onProblem, onAnswer) {
    this.#path = path;
    this.#onProblem = onProblem;
    this.#onAnswer = onAnswer;
    this.key = null;
  }

  /** The page key, and the language of this page: what the service says in its answers is shown here. */
  get headers() {
    return { "Accept-Language": document.documentElement.lang, ...(this.key ? { "X-Page-Key": this.key } : {}) };
  }

  /** `keepalive`: the call outlives the page. Throws Refusal, or the browser's error where the network fails. */
  async post(verb, body = {}, keepalive = false) {
    const headers = { Accept: "application/json", "Content-Type": "application/json", ...this.headers };
    const signal = keepalive ? undefined : AbortSignal.timeout(CALL_LIMIT_MS);
    const response = await fetch(`${this.#path}/${verb}`, { method: "POST", headers, body: JSON.stringify(body), keepalive, signal });
    if (!response.ok) throw await Refusal.from(response);
    return response.status === 204 ? null : response.json();
  }

  /** Posts without waiting: the page may be gone when the answer comes. */
  postLast(verb, body) {
    this.post(verb, body, true).catch(() => {});
  }

  /** Returns null when `signal` aborts, after a refusal that `ignores` tells of, or after another final one, which ends the page. */
  async postUntilAnswered(verb, body, signal, ignores = () => false) {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const answer = await this.post(verb, body);
        if (signal.aborted) return null; // it was for a flow that has ended: another may be shown by now
        this.#onAnswer();
        return answer;
      } catch (problem) {
        if (signal.aborted || ignores(problem) || this.#onProblem(problem)) return null;
        await pause(attempt + 1, signal);
      }
    }
    return null;
  }
}
