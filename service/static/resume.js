// The value by which the service knows this page again after a reload: 32 random bytes, sent with `start` alone.
// It is in the frame's own storage, which browsers partition by host page. Where access throws, the host page's embed.js
// may keep it. Without that script the value lives as long as this page, and the user is asked after a reload.
const HOST_ANSWER_MS = 500;
const SHAPE = /^[\w-]{43}$/;
const PREFIX = "magiclink:";
const KEPT_MS = 24 * 60 * 60 * 1000;

function newValue() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// In Firefox a reloaded frame may run in another process, which does not see what was written to sessionStorage since it
// first read it there. It sees localStorage, but so do other tabs: an entry there counts only beside the same `tab`, the
// value that embed.js keeps in this tab of the host's page. Script of the host's page can read that one, which starts
// nothing by itself.
function fromLocalStorage(name, tab) {
  const [keptTab, value] = localStorage.getItem(name)?.split(".") ?? [];
  return keptTab === tab && SHAPE.test(value) ? value : null;
}

function writeLocalStorage(name, tab, value) {
  const now = Date.now();
  for (const other of Object.keys(localStorage).filter((key) => key.startsWith(PREFIX))) {
    if (!(localStorage.getItem(other).split(".")[2] > now - KEPT_MS)) localStorage.removeItem(other);
  }
  localStorage.setItem(name, [tab, value, now].join("."));
}

/** Returns the value, or null where the frame has no storage that keeps it. */
async function fromOwnStorage(name, askHost) {
  try {
    const known = sessionStorage.getItem(name);
    if (SHAPE.test(known ?? "")) return known;
    const tab = await askHost();
    const value = (tab && fromLocalStorage(name, tab)) || newValue();
    sessionStorage.setItem(name, value);
    if (tab) writeLocalStorage(name, tab, value);
    return sessionStorage.getItem(name) === value ? value : null;
  } catch {
    return null;
  }
}

// Only the host's window on the session's own origin is asked, and only its answer is read.
function fromHost(sessionId, hostOrigin) {
  if (window.parent === window || !hostOrigin) return null;
  return new Promise((resolve) => {
    const end = (value) => {
      clearTimeout(timer);
      window.removeEventListener("message", onMessage);
      resolve(value);
    };
    const onMessage = ({ source, origin, data }) => {
      if (source !== window.parent || origin !== hostOrigin) return;
      if (data?.source !== "magiclink-host" || data.type !== "resume" || data.sessionId !== sessionId) return;
      end(SHAPE.test(data.value ?? "") ? data.value : null);
    };
    const timer = setTimeout(end, HOST_ANSWER_MS, null);
    window.addEventListener("message", onMessage);
    window.parent.postMessage({ source: "magiclink-frame", type: "resume", sessionId }, hostOrigin);
  });
}

async function find(sessionId, hostOrigin) {
  const askHost = () => fromHost(sessionId, hostOrigin);
  // Under the host's embedder policy the frame has no cookies, and a storage of its own that ends with the host page.
  // Only embed.js gives the page a look; a host page without that script would not answer.
  const withScript = new URLSearchParams(location.search).has("look");
  const own = !window.credentialless && (await fromOwnStorage(`${PREFIX}${sessionId}`, withScript ? askHost : () => null));
  if (own) return { resume: own };
  const kept = await askHost();
  return kept ? { resume: kept, keptBy: "host" } : { resume: newValue() };
}

let found = null;

/** Returns the fields of a start's body: the same ones for as long as this page lives. */
export function resumeFields(sessionId, hostOrigin) {
  found ??= find(sessionId, hostOrigin);
  return found;
}
