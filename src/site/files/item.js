// Items: how one is listed, and one with all that it says.

import { element, isWeb, linked } from "./dom.js";

import { drawable } from "./geography.js";

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

const list = (value) => (Array.isArray(value) ? value : []);

/** An Item whose members are of the kinds that STAC says, for it came as somebody wrote it. */
export function readable(item) {
  const objects = (members) => Object.fromEntries(Object.entries(isObject(members) ? members : {}).filter(([, value]) => isObject(value)));
  const asset = (value) => ({ ...value, type: String(value.type ?? ""), roles: list(value.roles), alternate: objects(value.alternate) });
  return {
    ...item,
    id: String(item.id),
    geometry: drawable(item.geometry),
    bbox: list(item.bbox),
    properties: isObject(item.properties) ? item.properties : {},
    assets: Object.fromEntries(Object.entries(objects(item.assets)).map(([name, value]) => [name, asset(value)])),
    links: list(item.links).filter((link) => isObject(link) && typeof link.href === "string"),
  };
}

const IMAGE = /^image\/(png|jpeg|jpg|webp|gif|avif|svg\+xml)$/i;

/** The address of a small picture, if an asset is one that a browser shows. */
export function thumbnail(item, roles = ["thumbnail", "overview"]) {
  const assets = Object.values(item.assets).filter(({ href, type }) => isWeb(href) && (!type || IMAGE.test(type.split(";")[0])));
  for (const role of roles) {
    const found = assets.find((asset) => asset.roles.includes(role));
    if (found) return found.href;
  }
  return undefined;
}

/** A picture, which goes when its server does not give it. */
export function picture(href, name) {
  const image = element("img", { src: href, alt: name, loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.remove());
  return image;
}

/** When an Item is of: its time, or its interval. */
export function timeOf({ properties }) {
  const short = (time) => String(time).slice(0, 16).replace("T", " ");
  if (properties.datetime) return short(properties.datetime);
  const [start, end] = [properties.start_datetime, properties.end_datetime];
  return start || end ? `${start ? short(start) : "…"} to ${end ? short(end) : "…"}` : "no time";
}

/** An Item of the list. */
export function listed(item, onclick) {
  const href = thumbnail(item, ["thumbnail"]);
  const facts = [timeOf(item), item.collection].filter(Boolean).join(" · ");
  const body = element("span", { class: "result-text" }, element("span", { class: "result-id" }, item.id), element("span", { class: "note" }, facts));
  return element("li", {}, element("button", { type: "button", class: "result", onclick }, element("span", { class: "result-image" }, href ? picture(href, "") : null), body));
}

function shown(value) {
  if (value !== null && typeof value === "object") return JSON.stringify(value);
  return String(value);
}

function table(title, entries) {
  if (!entries.length) return null;
  const rows = entries.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, isWeb(value) ? linked(value) : shown(value))));
  return element("section", {}, element("h3", {}, title), element("table", {}, element("tbody", {}, rows)));
}

/** The other addresses of an asset (extension alternate assets). */
const alternates = (asset) => Object.values(asset.alternate).filter(({ href }) => typeof href === "string");

function asset([name, value]) {
  const facts = [value.type, value.roles.join(", ")].filter(Boolean).join(" · ");
  const others = alternates(value).map(({ href, "alternate:name": label }) => element("div", {}, label ? `${label}: ` : "", linked(href)));
  return element("li", {}, element("strong", {}, String(value.title ?? name)), facts && element("span", { class: "note" }, facts), element("div", {}, linked(value.href)), others);
}

/** All of an Item. */
export function whole(item) {
  const href = thumbnail(item, ["overview", "thumbnail"]);
  const assets = Object.entries(item.assets).filter(([, value]) => typeof value.href === "string");
  const of = (rel) => item.links.find((link) => link.rel === rel);
  const others = item.links.filter(({ rel }) => !["self", "root", "parent", "collection"].includes(rel));
  const name = [["collection", item.collection], ["time", timeOf(item)], ["bbox", item.bbox.join(", ")]].filter(([, value]) => value);
  const self = of("self");
  return [
    element("h2", { class: "item-id", tabindex: "-1" }, item.id),
    href ? element("figure", {}, picture(href, `Preview of ${item.id}`)) : null,
    table("Item", name),
    element("section", {}, element("h3", {}, `Assets (${assets.length})`), element("ul", { class: "facts" }, assets.map(asset))),
    table("Properties", Object.entries(item.properties).filter(([, value]) => value !== null)),
    others.length ? table("Links", others.map(({ rel, href: at }) => [rel, at])) : null,
    // The address may have another scheme or host than the page, behind a proxy: what lies below the service counts.
    self && item.collection
      ? element("p", {}, element("a", { href: `collections/${encodeURIComponent(item.collection)}/items/${encodeURIComponent(item.id)}` }, "This Item as JSON"))
      : null,
  ].filter(Boolean);
}
