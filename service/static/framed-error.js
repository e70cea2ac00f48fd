// Posts to whichever page frames this one that the address leads nowhere. To any origin, since no session says to which:
// so the message is constant, and holds no id.
const { code } = document.getElementById("framed-error").dataset;
if (window.parent !== window) window.parent.postMessage({ source: "magiclink-frame", type: "refused", code }, "*");
