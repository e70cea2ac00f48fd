// What embed.js shows: the dialog, the frame in it, and words in the frame's place where its page cannot be loaded.
// `_()` marks a sentence; each language has a script of its own, with its sentences in their places.
const TITLE = _("Connect a utility account");
const WORDS = {
  not_found: _("This link does not work. Ask for a new one where you got it."),
  blocked: _("The secure page cannot be shown here. Ask for help where you found this page."),
  unavailable: _("The secure page could not be loaded. Check your connection, then try again."),
  load_timeout: _("The secure page is slow to load. It appears here once it has loaded."),
};
const CHECKS = {
  not_found: "url leads to no session: check that it is the whole embedUrl of this service.",
  blocked: `the page may not be framed: check the session's origin (${location.origin}), this page's frame-src and its parent; for`,
  unavailable: "the page could not be loaded: check the service at",
  load_timeout: "the page is slow to load: check the service at",
};

const DIALOG = sheet(`
  dialog.magiclink { box-sizing: border-box; width: min(70rem, 100vw - 2rem); height: min(var(--magiclink-height, 56rem), 100vh - 2rem); max-width: none; max-height: none;
    margin: max(1rem, 50vh - 28rem) auto; padding: 0; border: 0; border-radius: 16px; overflow: hidden; background: Canvas; box-shadow: 0 24px 80px rgb(0 0 0 / 35%); }
  dialog.magiclink::backdrop { background: rgb(10 18 16 / 55%); }
  dialog.magiclink > button { position: absolute; inset: .625rem .625rem auto auto; width: 2.75rem; height: 2.75rem; padding: 0; border: 0;
    border-radius: 10px; background: transparent; color: CanvasText; font: 1.5rem/1 system-ui; cursor: pointer; }
  dialog.magiclink > button:focus-visible { outline: 3px solid Highlight; }
  :root:has(> body > dialog.magiclink[open]) { overflow: hidden; }
  @media (max-width: 44rem) { dialog.magiclink { width: 100vw; height: 100vh; height: 100dvh; margin: 0; border-radius: 0; } }`);
const ELEMENT = sheet(`
  :host { display: block; width: 100%; height: var(--magiclink-height, min(52rem, 90vh)); min-height: var(--magiclink-height, 34rem); overflow: hidden; }
  :host([hidden]) { display: none; }`);
const NOTICE = sheet(`
  :host { display: block; box-sizing: border-box; height: 100%; min-height: 14rem; padding: 4rem 1.5rem 1.5rem; overflow: auto; background: Canvas; color: CanvasText; color-scheme: light dark;
    font: 1rem/1.5 system-ui; text-align: center; }
  p { max-width: 26rem; margin: 0 auto 1rem; }
  button { min-height: 2.75rem; margin: 0 0 1rem; padding: .5rem 1.125rem; border: 1px solid; border-radius: 10px; background: none; color: inherit; font: inherit; font-weight: 600; cursor: pointer; }`);

function makeButton(label, text, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  if (label) button.setAttribute("aria-label", label);
  button.onclick = act;
  return button;
}

function makeFrame(src, credentialless, prepared) {
  const frame = document.createElement("iframe");
  frame.title = TITLE;
  // Firefox warns in the host page's console of each feature that it does not know. Chromium alone has `featurePolicy`.
  frame.allow = document.featurePolicy ? "clipboard-write; fullscreen" : "fullscreen";
  frame.referrerPolicy = "no-referrer"; // frame-ancestors decides who may frame us; the host page's URL is not needed, and may be secret
  frame.credentialless = credentialless; // a host page with an embedder policy can frame the provider's page in no other way
  Object.assign(frame.style, { display: "block", width: "100%", height: "100%", border: "0", colorScheme: "auto" });
  if (prepared) frame.style.visibility = "hidden";
  if (prepared) frame.name = "magiclink-prepared"; // its page waits for "start"
  frame.src = src; // before it is in the page: a change there would be an entry in the history
  return frame;
}

function makeDialog(dismiss) {
  if (!document.adoptedStyleSheets.includes(DIALOG)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, DIALOG];
  const dialog = document.createElement("dialog");
  dialog.className = "magiclink";
  dialog.setAttribute("aria-label", TITLE);
  dialog.oncancel = (event) => {
    event.preventDefault();
    dismiss();
  };
  return dialog;
}

function makeNotice(code, again) {
  const notice = document.createElement("div");
  const root = notice.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [NOTICE];
  const words = document.createElement("p");
  words.setAttribute("role", "alert");
  words.textContent = WORDS[code];
  const reason = document.createElement("p");
  reason.textContent = _("Reason:") + ` ${code}`;
  root.append(words, ...(again ? [makeButton("", _("Try again"), again)] : []), reason);
  return notice;
}
