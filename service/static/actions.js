// What the user presses: buttons and forms name their action in `data-act`.

/** Calls the action of each press. `onWindow` is called when the provider's page is opened in a window of its own. */
export function watchActions(main, actions, embedded, onWindow) {
  main.addEventListener("click", (event) => {
    const { target } = event;
    const done = target.closest("a[data-done]");
    // Back from the host's page shall lead to what was before this one, which has nothing left to do.
    if (done && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      window.location.replace(done.href);
    }
    const button = target.closest("button[data-act]");
    if (button) actions[button.dataset.act]();
    if (target.closest("a[data-link]")) onWindow();
  });
  // At top level leaving is a plain form post: the service answers with a redirect to the host.
  main.addEventListener("submit", (event) => {
    const { act } = event.target.dataset;
    if (!actions[act] || (act === "exit" && !embedded)) return;
    event.preventDefault();
    actions[act]();
  });
}
