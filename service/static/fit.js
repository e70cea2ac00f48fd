// Tells embed.js how high this page's own states are, so that the frame fits them without a scroll bar of its own.
// The provider's page is null: it takes the room that there is.

/** Calls `tell("size", {height})` with each new height of the panel that is shown. */
export function watchSize(main, tell) {
  const bars = main.querySelectorAll(":scope > .bar");
  const panels = [...main.querySelectorAll(".stage > .panel")];
  let last = null;
  const measure = () => {
    const panel = panels.find((one) => one.offsetHeight);
    const height = panel ? [panel, ...bars].reduce((sum, one) => sum + Math.ceil(one.getBoundingClientRect().height), 0) : null;
    if (height !== last) tell("size", { height });
    last = height;
  };
  const observer = new ResizeObserver(measure);
  for (const one of [...panels, ...bars]) observer.observe(one);
}
