// Applies the look that the host page's element asks for while the page is shown; what it asked for before came with the
// page's address. The service does the same in domain/theme.py. A look is three closed values, and no address.
const OWN = /^(auto|light|dark)?-([0-9a-f]{3}|[0-9a-f]{6})?-(\d{1,2})?-(light|dark)?$/;

let applied = new URLSearchParams(window.location.search).get("look"); // by the server, which drew the page with it

/** Loads the stylesheet of the session's look with the element's `own`, unless that is applied already or not valid. */
export function applyLook(sessionLook, own) {
  if (own === applied) return;
  applied = own;
  const look = mergedLook(sessionLook, own);
  if (look === null) return;
  const before = document.querySelectorAll("link[data-theme]");
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `/static/theme-${look}.css` });
  sheet.dataset.theme = "";
  sheet.addEventListener("load", () => before.forEach((one) => one.remove()));
  sheet.addEventListener("error", () => sheet.remove());
  document.head.append(sheet);
}

function mergedLook(sessionLook, own) {
  const said = OWN.exec(String(own).toLowerCase());
  if (!said) return null;
  const [mode, accent, radius] = (sessionLook || "--").split("-");
  const wanted = said[1] || mode || "auto";
  return [wanted === "auto" ? said[4] || wanted : wanted, said[2] || accent, said[3] ?? radius].join("-");
}
