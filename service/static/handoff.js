// "Continue on your phone": asks for an address and a code, and shows the address as a QR code. The phone's page asks for
// the digits, so a person who sees only the QR code cannot go on with it.

/** Whether the user's part was done when the call arrived, which ends no page: the stream brings what has come of it. */
export const isDone = ({ code }) => code === "session_closed";

/** Returns the actions. `local.handoff` is `offered` while the address works, `over` afterwards, null while not asked for; `local.offer` its id. */
export function watchHandoff(main, local, draw, ask) {
  let timer = null;
  const show = (state) => {
    clearTimeout(timer);
    local.handoff = state;
    draw();
  };
  return {
    async handoff() {
      if (local.offering) return; // of two offers the older one has ended, and its answer may come last
      local.offering = true;
      const offered = await ask();
      local.offering = false;
      if (!offered) return;
      const { id, code, qr, secondsLeft } = offered;
      const drawing = main.querySelector("[data-qr]");
      drawing.setAttribute("viewBox", `0 0 ${qr.size} ${qr.size}`);
      drawing.querySelector("path").setAttribute("d", qr.path);
      main.querySelector("[data-digits]").textContent = `${code.slice(0, 3)} ${code.slice(3)}`;
      local.offer = id;
      show("offered");
      timer = setTimeout(() => local.handoff && show("over"), secondsLeft * 1_000);
    },
    stay: () => show(null),
  };
}
