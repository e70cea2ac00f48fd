// Runs in the framed callback: posts to its parent, which is our page, that the user came back. The message has no token.
const { sessionId } = document.getElementById("handover").dataset;
if (window.parent !== window) {
  window.parent.postMessage({ source: "magiclink-callback", sessionId }, window.location.origin);
}
