// Starts the redirect flow without an entry in the history: a form's own post would leave the page with its button there,
// and Back would seem to do nothing. Without this script the form is posted.
const form = document.querySelector("form[data-start]");
const path = new URL(form.action).pathname.replace(/\/start$/, "");
let busy = false;

// A reload may lose the answer to a start, and its cookie. The value in the form then shows that this is the same page, so
// it is kept in the history's entry, which the reload keeps too. Only this origin's scripts can read it there.
const kept = window.history.state?.page;
if (kept) form.elements.page.value = kept;

async function start() {
  const body = new URLSearchParams(new FormData(form));
  window.history.replaceState({ page: body.get("page") }, "");
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
