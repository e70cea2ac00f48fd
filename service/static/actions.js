// What the user presses: buttons and forms name their action in `data-act`.

/**
 * Calls the action of each press. `onWindow` is called when the provider's page is opened in a window of its own, and
 * `onLeave` when a form leaves our page for the host's: the service ends this page before the host's page has come.
 */
export function watchActions(main, actions, embedded, { onWindow, onLeave }) {
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
    if (act === "exit" && !embedded) return onLeave();
    if (!actions[act]) return;
    event.preventDefault();
    actions[act]();
  });
}
