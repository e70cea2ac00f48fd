// Where this script came from, and what both of the host pages' scripts need.
// In a module there is no loading tag. An <img name="currentScript"> is none either. The stack names the running file.
const loader = document.currentScript instanceof HTMLScriptElement ? document.currentScript : null;
const source = loader?.src || /(https?:\/\/[^\s()]+?):\d+:\d+/.exec(new Error().stack)?.[1];

function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

// An entry that is not an origin counts for nothing. A sandboxed page's `null` is none.
const originsOf = (entries) => entries.map((entry) => parsed(entry)?.origin).filter((origin) => origin && origin !== "null");

// Constructed sheets and style properties pass a host's Content-Security-Policy where style attributes do not.
const sheet = (rules) => {
  const made = new CSSStyleSheet();
  made.replaceSync(rules);
  return made;
};

// The host page asks the system itself: Firefox may not carry the answer into a frame.
const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

/** Returns what the theme says, and the scheme of the host's page, or else the system's, as the page's address names them. */
function lookOf(theme, place) {
  const { mode, accent, radius } = themeOf(theme);
  const [, scheme = SYSTEM.matches ? "dark" : "light"] = /^(light|dark)(\sonly)?$/.exec(getComputedStyle(place).colorScheme) ?? [];
  return [mode, accent?.slice(1), radius, scheme].join("-");
}

/** Calls `act` when the host page's scheme or the system's may have changed: a page toggles its own by an attribute. */
function whenSchemeChanges(act) {
  new MutationObserver(act).observe(document.documentElement, { attributes: true });
  SYSTEM.onchange = act;
}

function themeOf(theme) {
  try {
    return JSON.parse(theme ?? null) ?? {};
  } catch {
    return theme.trim ? { mode: theme } : theme;
  }
}
