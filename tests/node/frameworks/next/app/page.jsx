// Rendered by the server, with the url of the address: as a backend that has made the session would give it.
import Host from "./host";

export default async function Page({ searchParams }) {
  const { url = null } = await searchParams;
  return <Host first={url} />;
}
