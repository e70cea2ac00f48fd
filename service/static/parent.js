// Whether the page right around this one is the host's. The policy frame-ancestors names every origin that may stand
// anywhere around this page, in no order: without this, one of the outer pages could frame it directly.

/** Returns whether the page may start; null where only a message of the host's page can show it. */
export function mayStart({ kind, hostOrigin, ancestors }) {
  if (kind !== "embed") return true;
  if (window.parent === window) return false; // opened by itself, in a browser that does not tell the service so
  if (ancestors === undefined) return true;
  const nearest = window.location.ancestorOrigins?.[0];
  // Not every browser has the list, and a browser may leave out origins for `no-referrer`.
  return nearest === undefined || nearest === "null" ? null : nearest === hostOrigin;
}
