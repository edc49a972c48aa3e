// A question: what the form asks, as the fragment of the page, as parameters of the API, as a command and as SQL.

export const EMPTY = { place: "", from: "", until: "", collections: [], filter: "" };

/** A text of the form that cannot be asked; `field` is where it stands. */
export class Unclear extends Error {
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

export function fromFragment(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const text = (name) => given.get(name)?.trim() ?? "";
  return {
    question: { place: text("place"), from: text("from"), until: text("until"), collections: given.getAll("collection"), filter: text("filter") },
    isAsked: ["place", "from", "until", "collection", "filter", "all"].some((name) => given.has(name)),
    view: text("view"),
    item: given.has("item") ? { collection: given.get("of"), id: given.get("item") } : null,
  };
}

export function toFragment({ question, isAsked, view, item }) {
  const given = new URLSearchParams();
  const put = (name, value) => value && given.append(name, value);
  if (isAsked) {
    put("place", question.place);
    put("from", question.from);
    put("until", question.until);
    question.collections.forEach((id) => put("collection", id));
    put("filter", question.filter);
    if (![...given].length) given.set("all", "1");
  }
  if (item) {
    put("item", item.id);
    put("of", item.collection);
  }
  put("view", view === "globe" ? "" : view);
  return given.toString();
}

/** The parameters of a search. Throws `Unclear`. */
export function parameters(question) {
  const found = {};
  if (question.place) Object.assign(found, placeOf(question.place));
  const [from, until] = [timeOf("from", question.from, 0), timeOf("until", question.until, 1)];
  if (from && until && from > until) throw new Unclear("until", "Until is before from.");
  if (from || until) found.datetime = `${from || ".."}/${until || ".."}`;
  if (question.collections.length) found.collections = question.collections;
  if (question.filter) {
    found.filter = question.filter;
    found["filter-lang"] = "cql2-text";
  }
  return found;
}

function placeOf(text) {
  if (text.startsWith("{")) {
    try {
      const json = JSON.parse(text);
      return { intersects: json.type === "Feature" ? json.geometry : json };
    } catch {
      throw new Unclear("place", "The place begins like GeoJSON, but cannot be read as JSON.");
    }
  }
  const box = text.split(/[\s,;]+/).map(Number);
  if (box.length !== 4 || box.some(Number.isNaN)) {
    throw new Unclear("place", "Write the place as west, south, east, north in degrees, or as GeoJSON.");
  }
  return { bbox: box };
}

/** The first or the last moment of a year, month, day or time. */
function timeOf(field, text, isEnd) {
  if (!text) return "";
  const parts = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?$/.exec(text);
  if (!parts) {
    if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(text)) return text;
    throw new Unclear(field, "Write a time as 2019, 2019-07, 2019-07-31 or 2019-07-31T12:00:00Z.");
  }
  const [year, month, day] = parts.slice(1);
  const lastDay = new Date(Date.UTC(2000, 0, 1));
  lastDay.setUTCFullYear(Number(year), Number(month ?? 12), 0);
  const date = isEnd
    ? `${year}-${month ?? "12"}-${day ?? String(lastDay.getUTCDate()).padStart(2, "0")}T23:59:59.999999Z`
    : `${year}-${month ?? "01"}-${day ?? "01"}T00:00:00Z`;
  if (Number.isNaN(Date.parse(date))) throw new Unclear(field, `There is no ${text}.`);
  return date;
}

/** The parameters as a query string of a GET. */
export function query(found) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(found)) {
    const isGeometry = value !== null && typeof value === "object" && !Array.isArray(value);
    given.set(name, isGeometry ? JSON.stringify(value) : String(value));
  }
  return given.toString();
}

const quoted = (text) => (/^[\w.,:/=+@%-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The command `search` of the same question. */
export function command(found, more = []) {
  const flags = Object.entries(found)
    .filter(([name]) => name !== "filter-lang")
    .map(([name, value]) => `--${name}=${quoted(typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : String(value))}`);
  return ["earthcatalog search", ...flags, ...more].join(" \\\n  ");
}

/** The same in SQL. */
export function sql(found) {
  const text = JSON.stringify(found).replaceAll("'", "''");
  return Object.keys(found).length ? `SELECT *\nFROM stac_search(items, '${text}')` : "SELECT *\nFROM items";
}

/** The same with pystac-client. */
export function python(found, root) {
  const named = Object.entries(found).map(([name, value]) => `    ${name.replace("-", "_")}=${JSON.stringify(value)},\n`);
  return `from pystac_client import Client\n\nclient = Client.open(${JSON.stringify(root)})\nsearch = client.search(\n${named.join("")})\nfor item in search.items():\n    print(item.id)`;
}

/** The same as a stac-geoparquet file, with curl. */
export function curl(address) {
  return `curl -H 'Accept: application/vnd.apache.parquet' \\\n  ${quoted(address)} -o items.parquet`;
}
