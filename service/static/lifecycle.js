// Reports when the browser unloads or freezes this page, and when it shows it again.
// A page in the back-forward cache, or in a tab that was in the background for long, is frozen: its timers stand still,
// while its connections may stay open and look like a present user.

/**
 * `onHide` also comes where the page may be shown again; `onFreeze` may come twice, `onShow` without a freeze.
 * `onShow(true)`: the page comes from the back-forward cache.
 */
export function watchLifecycle({ onHide, onFreeze, onShow }) {
  window.addEventListener("pagehide", ({ persisted }) => {
    onHide();
    if (persisted) onFreeze();
  });
  document.addEventListener("freeze", onFreeze);
  document.addEventListener("resume", () => onShow(false));
  window.addEventListener("pageshow", ({ persisted }) => persisted && onShow(true));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && onShow(false));
}
