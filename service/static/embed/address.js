// Which addresses are framed: embed pages of this script's own origin, and of those that the host's code names. Markup or
// data that an attacker controls may hold another `url`.
const listed = (origins) => (typeof origins === "string" ? origins.split(/[\s,]+/) : [...(origins ?? [])]);

const ALLOWED = originsOf([source, ...listed(loader?.getAttribute("allowed-origin"))]);

const wrong = (words) => new TypeError(`MagicLink: ${words}`);

/** Returns the parsed `url`. Throws TypeError unless it is an embed page of an allowed origin. */
function addressOf(url, more) {
  if ((url ?? "") === "") {
    throw wrong("url is missing. Give the session's embedUrl, which is null for a session without `origin`.");
  }
  const address = parsed(url);
  if (!address) throw wrong("url is not a whole address. Give the session's embedUrl.");
  if (![...ALLOWED, ...originsOf(listed(more))].includes(address.origin)) {
    throw wrong(
      `${address.origin} is not allowed. Load embed.js from there, or name that origin in the script tag's allowed-origin or in open's allowedOrigin.`,
    );
  }
  if (!/^\/embed\/[^/]+$/.test(address.pathname)) {
    throw wrong("url is not an embed page. Give the session's embedUrl; redirectUrl is for the whole window.");
  }
  return address;
}

// Where the frame's own storage throws, its value is kept here. It starts this session's page again and opens nothing else,
// but scripts of the host page can read it: the service notes that.
function keptValue(sessionId) {
  try {
    const name = `magiclink:${sessionId}`;
    const found = sessionStorage.getItem(name);
    if (/^[\w-]{43}$/.test(found ?? "")) return found;
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const made = btoa(String.fromCharCode(...bytes)).replace(/\W/g, "_").slice(0, 43);
    sessionStorage.setItem(name, made);
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}
