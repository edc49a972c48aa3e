// Requests to the service. Addresses are relative to the page, so that they hold behind a proxy's prefix.

/** The longest query string that is sent by GET: some proxies take no more than 8 kB. */
const LONGEST = 6000;

/** What the service says is wrong, in its words. */
export class Refused extends Error {
  constructor(status, description) {
    super(description);
    this.status = status;
    // The description of a wrong parameter begins with its name.
    this.parameter = /^([a-z-]+): /.exec(description)?.[1];
  }
}

async function json(address, init) {
  let response;
  try {
    response = await fetch(address, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The service cannot be reached. Is it still running?");
  }
  if (response.ok) return response.json();
  let description = `The service answered with status ${response.status}.`;
  try {
    description = (await response.json()).description ?? description;
  } catch {
    // A proxy may answer with a page.
  }
  throw new Refused(response.status, description);
}

const JSON_ONLY = { accept: "application/json" };

export const overview = () => json("overview", { headers: JSON_ONLY });
export const queryables = () => json("queryables", { headers: JSON_ONLY });
export const collections = () => json("collections", { headers: JSON_ONLY });

export const item = (collection, id) =>
  json(`collections/${encodeURIComponent(collection)}/items/${encodeURIComponent(id)}`);

/** Asks `path`, by GET or, where the question is long, by POST. */
function ask(path, found, toQuery, signal) {
  const text = toQuery(found);
  if (text.length < LONGEST) return json(`${path}?${text}`, { signal, headers: { accept: "application/geo+json, application/json" } });
  return post(path, found, signal);
}

const post = (path, body, signal) =>
  json(path, { method: "POST", signal, body: JSON.stringify(body), headers: { "content-type": "application/json" } });

export const search = (found, toQuery, signal) => ask("search", found, toQuery, signal);
export const aggregate = (found, toQuery, signal) => ask("aggregate", found, toQuery, signal);

/** The page behind a link `next`. Of its address only the query counts: a proxy may have another scheme than it says. */
export function next(link, signal) {
  return link.method === "POST" ? post("search", link.body, signal) : json(`search${new URL(link.href).search}`, { signal });
}

/** All Items of a question as a stac-geoparquet file. */
export async function geoparquet(found) {
  const response = await fetch("search", {
    method: "POST",
    body: JSON.stringify(found),
    headers: { "content-type": "application/json", accept: "application/vnd.apache.parquet" },
  });
  if (response.ok) return response.blob();
  throw new Refused(response.status, (await response.json()).description);
}
