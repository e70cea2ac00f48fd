// "More below": the provider's page keeps its height where there is less room, and many systems hide their scroll bars.
const END_PX = 8; // less than that is no content

/** Shows the button while the lower end of the provider's page is out of sight; it scrolls there. */
export function watchMore(main) {
  const [slot, button] = [main.querySelector("[data-slot]"), main.querySelector("[data-more]")];
  const look = () => {
    const hidden = slot.scrollHeight - slot.clientHeight;
    slot.tabIndex = hidden > END_PX ? 0 : -1; // so that it scrolls by keyboard too
    const isOver = hidden - slot.scrollTop <= END_PX;
    if (isOver && document.activeElement === button) slot.focus({ preventScroll: true }); // a hidden button holds no focus
    button.hidden = isOver;
  };
  slot.addEventListener("scroll", look, { passive: true });
  slot.addEventListener("load", () => (slot.scrollTop = 0), true); // the provider's next step begins at its top
  new ResizeObserver(look).observe(slot);
  new MutationObserver(look).observe(slot, { childList: true });
  button.addEventListener("click", () => slot.scrollTo({ top: slot.scrollHeight }));
}
