// A host app on Express, around the example of docs/integrate.md: `node express-host.mjs FILE`.
// Whom the header X-Signed-In names is signed in; a real host app knows that from its own session.
import { pathToFileURL } from "node:url";
import express from "express";

const { utilities } = await import(pathToFileURL(process.argv[2]));
const app = express();
app.use((request, _response, next) => {
  request.session = { userId: request.get("x-signed-in") };
  next();
});
app.use(utilities);
const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
