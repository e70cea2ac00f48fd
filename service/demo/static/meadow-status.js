// The customer's page after a redirect: <magic-link-status> says which account its user wants to mend, and this page's
// backend, which checks whose it is, makes the reconnect.
"use strict";

const form = document.getElementById("mend");
document.querySelector("magic-link-status").addEventListener("mend", ({ detail }) => {
  form.action = `/utilities/${encodeURIComponent(detail.connectionId)}/reconnect`;
  form.submit();
});
