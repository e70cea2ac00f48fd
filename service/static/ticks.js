// Ticks while the page is hidden too. Browsers run the timers of a page that was hidden for minutes once a minute, which
// would read as if its user had left; those of a worker keep their pace. Without workers the page's own timer must do.
const WORKER = new URL("ticks-worker.js", import.meta.url).href;
let worker = null;

function startWorker() {
  const address = window.trustedTypes?.createPolicy("magiclink-ticks", { createScriptURL: () => WORKER }).createScriptURL("") ?? WORKER;
  return new Worker(address);
}

/** Calls `act` every `ms` until `signal` aborts. */
export function every(ms, act, signal) {
  const timer = setInterval(act, ms);
  signal.addEventListener("abort", () => clearInterval(timer));
  try {
    worker ??= startWorker();
  } catch {
    return;
  }
  const onTick = () => {
    clearInterval(timer); // from the first tick on: a worker may be refused without a word
    act();
  };
  worker.addEventListener("message", onTick);
  signal.addEventListener("abort", () => {
    worker.removeEventListener("message", onTick);
    worker.postMessage(0);
  });
  worker.postMessage(ms);
}
