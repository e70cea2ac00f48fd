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

/** Returns what the theme says, and the scheme that the host's page declares, as the page's address names them. */
function lookOf(theme, place) {
  const { mode, accent, radius } = themeOf(theme);
  const [, scheme] = /^(?:only\s)?(light|dark)$/.exec(getComputedStyle(place).colorScheme) ?? [];
  return [mode, accent?.slice(1), radius, scheme].join("-");
}

function themeOf(theme) {
  try {
    return JSON.parse(theme ?? null) ?? {};
  } catch {
    return theme.trim ? { mode: theme } : theme;
  }
}
