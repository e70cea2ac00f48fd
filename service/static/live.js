// Follows a session: reads server-sent events, and polls as long as no bytes of them arrive.
// A proxy may hold a stream's bytes back: until it ends, until a block is full, or after the first ones. The service
// sends a comment every 2 s, so silence shows it, at whatever moment it begins.
// A hidden tab has no stream and polls now and then: over HTTP/1.1 a browser opens six connections to a service for all
// of its tabs together. When it is shown, its stream goes on after the last event that it had.
const QUIET_MS = 3_500; // longer than the service's comments are apart; with one poll it stays below 5 s
const SILENCE_MS = 20_000; // a connection that has been silent for this long may be dead, and is made again
const PROVEN_MS = 10_000; // a stream whose bytes still arrive after this long gets through
const POLL_MS = 3_000;
const QUIET_POLL_MS = 15_000;
const POLL_LIMIT_MS = 10_000;
const SILENT_STREAM_MS = 5_000; // four times as long after each further stream that fell silent
const SILENT_STREAM_LIMIT_MS = 120_000;

/** An error answer of the service; `code` is from its documented list. */
export class Refusal extends Error {
  constructor(status, problem) {
    const code = problem.failure?.code || problem.code || "unavailable"; // a failed session's own reason, where the answer has one
    super(code);
    this.status = status;
    this.code = code;
    this.requestId = problem.requestId || null;
    // Without a code it is not ours: a proxy refuses everything for a while, during a deployment for instance.
    this.final = Boolean(problem.code) && status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429;
  }

  static async from(response) {
    // An answer that our own end cut off says nothing: its code is unknown, and the refusal would look final.
    const problem = await response.json().catch((error) => {
      if (error.name === "AbortError") throw error;
      return {};
    });
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
 * Calls `onEvent({id, type, data})` for each server-sent event; the answer of a poll is an event of type `view`, with the
 * time at which it was `asked` for.
 * Calls `onLost` when the network is lost and `onFound` when it is back. Throws a final refusal. Ends with `signal`.
 * `isQuiet` returns whether the user waits for nothing: polls are rare then.
 */
export async function follow({ url, headers, signal, onEvent, onLost, onFound, isQuiet }) {
  const both = linked(signal);
  const feed = { url, headers, isQuiet, signal: both.signal, lastId: null, failures: 0, heardAt: performance.now() };
  feed.emit = (event) => {
    if (both.signal.aborted) return;
    feed.lastId = event.id || feed.lastId;
    feed.failures = 0;
    onFound();
    onEvent(event);
  };
  feed.failed = (error) => {
    if (both.signal.aborted || error.name === "AbortError") return; // our own timer ended it: that is slow, not lost
    if (error.final) throw error;
    feed.failures += 1;
    if (feed.failures > 1) onLost();
  };
  try {
    await Promise.all([streams(feed), polls(feed)]);
  } finally {
    both.abort();
  }
}

/** Returns a signal that aborts with `signal`, by `abort()`, or once `after(wait)` has not been called again in time. */
function linked(signal) {
  const controller = new AbortController();
  let timer = null;
  const abort = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    controller.abort();
  };
  const after = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(abort, wait);
  };
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  return { signal: controller.signal, abort, after };
}

async function streams(feed) {
  for (let silent = 0, broken = 0; !feed.signal.aborted; ) {
    if (isAway(feed)) {
      await shown(feed.signal);
      continue;
    }
    const began = performance.now();
    try {
      await stream(feed);
      broken = feed.heardAt > began ? 0 : broken + 1;
    } catch (error) {
      if (isAway(feed)) continue;
      feed.failed(error);
      if (feed.heardAt > began + PROVEN_MS) silent = broken = 0;
      if (error.name === "AbortError") silent += 1;
      else broken += 1;
    }
    // Meanwhile the page polls, so there is no haste; and a proxy may keep the streams open that were given up here.
    if (silent > 1) await rest(Math.min(SILENT_STREAM_LIMIT_MS, SILENT_STREAM_MS * 4 ** (silent - 2)), feed.signal, "online");
    else await pause(Math.min(broken, 4), feed.signal);
  }
}

/** Whether the page is hidden, and its stream can go on where it was: the first one lasts until it has a position. */
const isAway = (feed) => document.visibilityState === "hidden" && feed.lastId !== null;

function shown(signal) {
  return new Promise((resolve) => {
    const end = () => {
      if (document.visibilityState === "hidden" && !signal.aborted) return;
      document.removeEventListener("visibilitychange", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    document.addEventListener("visibilitychange", end);
    signal.addEventListener("abort", end);
    end();
  });
}

async function stream(feed) {
  const attempt = linked(feed.signal);
  const onHide = () => isAway(feed) && attempt.abort();
  document.addEventListener("visibilitychange", onHide);
  attempt.after(SILENCE_MS);
  try {
    const headers = { ...feed.headers, Accept: "text/event-stream" };
    if (feed.lastId) headers["Last-Event-ID"] = feed.lastId;
    const response = await fetch(feed.url, { headers, cache: "no-store", signal: attempt.signal });
    if (!response.ok) throw await Refusal.from(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      feed.heardAt = performance.now();
      attempt.after(SILENCE_MS);
      const blocks = (text + value).replaceAll("\r\n", "\n").split("\n\n");
      text = blocks.pop();
      blocks.map(parse).filter(Boolean).forEach(feed.emit);
      if (isAway(feed)) return;
    }
  } finally {
    document.removeEventListener("visibilitychange", onHide);
    attempt.abort();
  }
}

async function polls(feed) {
  while (!feed.signal.aborted) {
    const quiet = performance.now() - feed.heardAt;
    if (quiet < QUIET_MS) {
      await rest(QUIET_MS - quiet, feed.signal);
      continue;
    }
    await poll(feed).catch(feed.failed);
    if (feed.failures) await pause(Math.min(2 + feed.failures, 5), feed.signal);
    else await rest(feed.isQuiet() || isAway(feed) ? QUIET_POLL_MS : POLL_MS, feed.signal, "online");
  }
}

async function poll(feed) {
  const attempt = linked(feed.signal);
  const asked = performance.now();
  attempt.after(POLL_LIMIT_MS);
  try {
    const headers = { ...feed.headers, Accept: "application/json" };
    const response = await fetch(feed.url, { headers, cache: "no-store", signal: attempt.signal });
    if (!response.ok) throw await Refusal.from(response);
    feed.emit({ id: null, type: "view", data: { view: await response.json() }, asked });
  } finally {
    attempt.abort();
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
