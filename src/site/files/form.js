// The form: what it asks, what it offers, and what is wrong with it.

import { byId, element } from "./dom.js";

/** Parameters of the API by the fields of the form. */
const FIELD_OF = { bbox: "place", intersects: "place", datetime: "from", collections: "collections", filter: "filter" };

const form = byId("question");

export const field = (name) => form.elements.namedItem(name);
const boxes = () => [...form.querySelectorAll("input[name=collection]")];

export function readForm() {
  const text = (name) => field(name).value.trim();
  const collections = boxes().filter((box) => box.checked).map((box) => box.value);
  return { place: text("place"), from: text("from"), until: text("until"), collections, filter: text("filter") };
}

export function writeForm(question) {
  for (const name of ["place", "from", "until", "filter"]) field(name).value = question[name];
  boxes().forEach((box) => (box.checked = question.collections.includes(box.value)));
  byId("filter-part").open ||= Boolean(question.filter);
}

export function fillCollections(ids) {
  const { collections } = readForm();
  const labels = ids.map((id) => element("label", { class: "check" }, element("input", { type: "checkbox", name: "collection", value: id }), element("span", {}, id)));
  byId("collections").replaceChildren(element("legend", {}, "Collections"), ...labels);
  byId("collections").hidden = ids.length < 2;
  boxes().forEach((box) => (box.checked = collections.includes(box.value)));
}

export function fillQueryables({ properties }) {
  const insert = (name) => {
    const filter = field("filter");
    const text = /^[a-z_]\w*$/i.test(name) ? name : `"${name}"`;
    filter.setRangeText(text, filter.selectionStart, filter.selectionEnd, "end");
    filter.focus();
  };
  const names = Object.entries(properties).filter(([name]) => name !== "geometry");
  byId("queryables").replaceChildren(
    ...names.map(([name, { type, format }]) => element("button", { type: "button", class: "chip", title: format ?? type ?? "", onclick: () => insert(name) }, name)),
  );
}

/** Says what is wrong, at its field where there is one; `error` has `field`, or the `parameter` of the API. */
export function complain(error) {
  const name = error.field ?? FIELD_OF[error.parameter];
  const at = name && (field(name) ?? byId(name));
  byId("problem").textContent = error.message;
  byId("problem").hidden = false;
  if (at?.setAttribute) {
    at.setAttribute("aria-invalid", "true");
    at.setAttribute("aria-describedby", "problem");
    if (name === "filter") byId("filter-part").open = true;
    at.focus?.();
  }
}

export function noProblem() {
  byId("problem").hidden = true;
  byId("problem").textContent = "";
  form.querySelectorAll("[aria-invalid]").forEach((at) => {
    at.removeAttribute("aria-invalid");
    at.removeAttribute("aria-describedby");
  });
}
