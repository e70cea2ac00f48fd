// Starts the redirect flow without an entry in the history: a form's own post would leave the page with its button there,
// and Back would seem to do nothing. Without this script the form is posted.
const form = document.querySelector("form[data-start]");
const path = new URL(form.action).pathname.replace(/\/start$/, "");
let busy = false;

async function start() {
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(15_000) });
  if (response.status >= 500 || response.status === 429) throw new Error("try the form");
  // Another page was started: its user is asked first. Anything else is said by the page itself.
  window.location.replace(response.status === 409 ? `${path}?takeOver=true` : path);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (busy) return;
  busy = true;
  start().catch(() => form.submit());
});
