// What helps with an account: which words of the page's table are shown, the account to mend, hints of utilities.
// All sentences but the hints are in the page already; what the provider or the host wrote is set as text, never as markup.

/** The conditions of `data-show` for the words: of each connection, and of an account that is still to be mended. */
export function adviceConditions(screen, view) {
  if (!view) return {};
  const mended = view.connections.length ? null : view.account;
  return {
    ...Object.fromEntries(view.connections.map(({ words }) => [`told-${words}`, true])),
    ...(mended ? { mend: true, [`mend-${mended.words}`]: true } : {}),
    account: view.account,
    hinted: view.hints.length,
    ahead: screen === "provider" && !mended && !view.connections.some((connection) => connection.needsAttention),
  };
}

/** Writes the account and the hints of a view into the page. */
export function fillAdvice(main, view) {
  for (const name of main.querySelectorAll("[data-account]")) name.textContent = view.account?.name ?? "";
  for (const place of main.querySelectorAll("[data-place]")) place.textContent = view.account?.place ?? "";
  for (const list of main.querySelectorAll("[data-hints]")) list.replaceChildren(...view.hints.map(hintRow));
}

function hintRow(hint) {
  const row = document.getElementById("hint").content.cloneNode(true);
  row.querySelector("[data-utility]").textContent = hint.utility;
  row.querySelector("[data-needed]").textContent = hint.needed;
  return row;
}
