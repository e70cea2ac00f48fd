// Runs in the framed callback: tells the page around it, which is ours, that the person came back. Carries no token.
const { sessionId } = document.getElementById("handover").dataset;
if (window.parent !== window) {
  window.parent.postMessage({ source: "magiclink-callback", sessionId }, window.location.origin);
}
