// The value by which the service knows this page again after a reload: 32 random bytes, sent with `start` alone.
// It is in the frame's own storage, which browsers partition by host page. Where access throws, the host page's embed.js
// may keep it. Without that script the value lives as long as this page, and the user is asked after a reload.
const HOST_ANSWER_MS = 500;
const SHAPE = /^[\w-]{43}$/;

function newValue() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromOwnStorage(name) {
  try {
    const found = sessionStorage.getItem(name);
    if (SHAPE.test(found ?? "")) return found;
    const made = newValue();
    sessionStorage.setItem(name, made);
    return sessionStorage.getItem(name) === made ? made : null;
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

// Under the host's embedder policy the frame has no cookies, and a storage of its own that ends with the host page.
async function find(sessionId, hostOrigin) {
  const own = !window.credentialless && fromOwnStorage(`magiclink:${sessionId}`);
  if (own) return { resume: own };
  const kept = await fromHost(sessionId, hostOrigin);
  return kept ? { resume: kept, keptBy: "host" } : { resume: newValue() };
}

let found = null;

/** Returns the fields of a start's body: the same ones for as long as this page lives. */
export function resumeFields(sessionId, hostOrigin) {
  found ??= find(sessionId, hostOrigin);
  return found;
}
