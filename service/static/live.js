// Follows a session: reads server-sent events, and polls where a stream does not get through.
const STREAM_ATTEMPTS = 3;
const SILENCE_MS = 40_000; // the service sends at least a comment every 15 s
const FIRST_BYTES_MS = 8_000; // if none come by then, a proxy buffers the stream
const POLL_MS = 3_000;
const POLLS_BEFORE_STREAM = 60;

/** An error answer of the service; `code` is from its documented list. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.code || "unavailable");
    this.status = status;
    this.code = problem.code || "unavailable";
    this.requestId = problem.requestId || null;
    this.final = status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429;
  }

  static async from(response) {
    const problem = await response.json().catch(() => ({}));
    return new Refusal(response.status, problem && typeof problem === "object" ? problem : {});
  }
}

/** Waits with exponential backoff and jitter; returns at once when the network is back or `signal` aborts. */
export function pause(attempt, signal, limit = 15_000) {
  const wait = Math.min(limit, 500 * 2 ** attempt) * (0.75 + Math.random() / 2);
  return rest(wait, signal, "online");
}

function rest(wait, signal, early = null) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      if (early) window.removeEventListener(early, end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, wait);
    if (early) window.addEventListener(early, end);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

/**
 * Calls `onEvent({id, type, data})` for each server-sent event; the answer of a poll is an event of type `view`.
 * Calls `onLost` when the network is lost and `onFound` when it is back. Throws a final refusal. Ends with `signal`.
 */
export async function follow({ url, headers, signal, onEvent, onLost, onFound }) {
  const feed = { url, headers, signal, lastId: null, received: false };
  feed.emit = (event) => {
    feed.received = true;
    feed.lastId = event.id || feed.lastId;
    onFound();
    onEvent(event);
  };
  for (let failures = 0; !signal.aborted; ) {
    feed.received = false;
    const polling = failures >= STREAM_ATTEMPTS;
    let broken = false;
    try {
      await (polling ? poll(feed) : stream(feed));
    } catch (error) {
      if (error.final) throw error;
      broken = error.name !== "AbortError"; // our own timer ended a silent stream: that is slow, not lost
    }
    if (signal.aborted) return;
    failures = feed.received ? polling * (STREAM_ATTEMPTS - 1) : failures + 1;
    if (broken && failures > 1) onLost();
    await pause(Math.min(failures, 4), signal);
  }
}

async function poll(feed) {
  const headers = { ...feed.headers, Accept: "application/json" };
  for (let polls = 0; polls < POLLS_BEFORE_STREAM && !feed.signal.aborted; polls += 1) {
    const response = await fetch(feed.url, { headers, cache: "no-store", signal: feed.signal });
    if (!response.ok) throw await Refusal.from(response);
    feed.emit({ id: null, type: "view", data: { view: await response.json() } });
    await rest(POLL_MS, feed.signal);
  }
}

async function stream(feed) {
  const attempt = new AbortController();
  const end = () => attempt.abort();
  feed.signal.addEventListener("abort", end);
  let timer = setTimeout(end, FIRST_BYTES_MS);
  try {
    const headers = { ...feed.headers, Accept: "text/event-stream" };
    if (feed.lastId) headers["Last-Event-ID"] = feed.lastId;
    const response = await fetch(feed.url, { headers, cache: "no-store", signal: attempt.signal });
    if (!response.ok) throw await Refusal.from(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE_MS);
      const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
      text = blocks.pop();
      blocks.map(parse).filter(Boolean).forEach(feed.emit);
    }
  } finally {
    clearTimeout(timer);
    feed.signal.removeEventListener("abort", end);
  }
}

// Reference: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
function parse(block) {
  const fields = { id: null, event: "message", data: [] };
  for (const line of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "data") fields.data.push(value);
    else if (name === "id" || name === "event") fields[name] = value;
  }
  if (!fields.data.length) return null;
  return { id: fields.id, type: fields.event, data: JSON.parse(fields.data.join("\n")) };
}
