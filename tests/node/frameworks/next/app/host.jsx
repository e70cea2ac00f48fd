"use client";
// A host page: `mount(url)` and `unmount()` show and remove the guide's component.
import { useEffect, useState } from "react";
import ConnectUtility from "./connect-utility";

export default function Host({ first }) {
  const [url, setUrl] = useState(first);
  useEffect(() => {
    Object.assign(window, { done: [], mount: setUrl, unmount: () => setUrl(null) });
  }, []);
  return <main id="app">{url && <ConnectUtility url={url} onDone={({ type }) => window.done.push(type)} />}</main>;
}
