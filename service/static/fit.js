// Tells embed.js how high this page's own states are, so that the frame fits them without a scroll bar of its own.
// The provider's page is null: it takes the room that there is.
const GROWN_MS = 300; // the frame has its new height by then, or keeps the one that it has

/**
 * Calls `tell("size", {height})` with each new height of the panel that is shown. Where the frame is about to grow, what
 * stands at its lower end is shown once it has: it would jump.
 */
export function watchSize(main, tell) {
  const bars = main.querySelectorAll(":scope > .bar");
  const panels = [...main.querySelectorAll(".stage > .panel")];
  let last = null;
  let timer = null;
  const grown = () => {
    clearTimeout(timer);
    delete main.dataset.growing;
  };
  const measure = () => {
    const panel = panels.find((one) => one.offsetHeight);
    const height = panel ? [panel, ...bars].reduce((sum, one) => sum + Math.ceil(one.getBoundingClientRect().height), 0) : null;
    if (height !== last) tell("size", { height });
    if (height !== null) grown();
    else if (last !== null) {
      main.dataset.growing = "";
      timer = setTimeout(grown, GROWN_MS);
    }
    last = height;
  };
  let before = window.innerHeight;
  window.addEventListener("resize", () => {
    // Not at the end of an earlier shrinking; and one frame later, so that it was in its new place before it is seen.
    if (window.innerHeight > before) requestAnimationFrame(() => requestAnimationFrame(grown));
    before = window.innerHeight;
  });
  const observer = new ResizeObserver(measure);
  for (const one of [...panels, ...bars]) observer.observe(one);
}
