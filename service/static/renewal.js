// "Ask for a new link": the host's page is asked. Where none comes in time, the page says so and the user may ask again.
const UNANSWERED_MS = 20_000; // a host page that gives a new link does so sooner

/** Returns the action. `local.asked` is `waiting` or `unanswered`, null while nothing is asked for. */
export function watchRenewal(local, draw, ask) {
  return {
    renew() {
      local.asked = "waiting";
      ask();
      draw();
      setTimeout(() => {
        if (local.asked) local.asked = "unanswered";
        draw();
      }, UNANSWERED_MS);
    },
  };
}
