// The overview: cells by number of rows, collections, and the largest cells as a list. Also what the file of `map` shows.

import { counted, element, number } from "./dom.js";
import { classColors } from "./map.js";

/** The largest cells that are listed. */
const LISTED = 12;

/** Bounds of the classes of numbers: each is the least number of its class. */
export function classesOf(numbers) {
  const found = numbers.filter((value) => value > 0);
  if (!found.length) return [];
  const [least, most] = [found.reduce((a, b) => Math.min(a, b)), found.reduce((a, b) => Math.max(a, b))];
  const most_classes = classColors().length;
  const factor = (most / least) ** (1 / most_classes);
  const bounds = Array.from({ length: most_classes }, (_, i) => (i === 0 ? least : rounded(least * factor ** i)));
  return bounds.filter((bound, i) => i === 0 || (bound > bounds[i - 1] && bound <= most));
}

/** One or two digits, then zeros. */
function rounded(value) {
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.round(value / digits) * digits;
}

/** Which class a number is of. Few classes take their colours from the whole scale. */
export function classOf(value, bounds) {
  const index = bounds.findLastIndex((bound) => value >= bound);
  const most = classColors().length - 1;
  return bounds.length > 1 ? Math.round((index * most) / (bounds.length - 1)) : Math.ceil(most / 2);
}

/** The cells with their numbers of the years of `range`, without those that have none. */
export function cellsIn(overview, range) {
  const isIn = overview.years.map((year) => !range || (year !== null && year >= range[0] && year <= range[1]));
  const sum = (rows) => rows.reduce((total, value, i) => total + (isIn[i] ? value : 0), 0);
  return classified(overview.cells.map(({ cell, rows, geometry }) => ({ cell, geometry, number: sum(rows) })));
}

/** Cells with their classes, the least first, so that the largest is drawn last. */
export function classified(cells) {
  const found = cells.filter(({ number }) => number > 0).sort((a, b) => a.number - b.number);
  const bounds = classesOf(found.map(({ number }) => number));
  return { cells: found.map((each) => ({ ...each, class: classOf(each.number, bounds) })), bounds };
}

/** Rows of all cells by year. */
export function yearsOf(overview) {
  return overview.years.map((year, i) => [year, overview.cells.reduce((sum, { rows }) => sum + rows[i], 0)]);
}

export function legend(container, bounds, unit) {
  const colors = classColors();
  const most = bounds.length - 1;
  const swatches = bounds.map((bound, i) => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = colors[most ? Math.round((i * (colors.length - 1)) / most) : Math.ceil((colors.length - 1) / 2)];
    const last = i < most ? bounds[i + 1] - 1 : Infinity;
    const text = i === most && most ? `${number(bound)} or more` : last > bound && i < most ? `${number(bound)}–${number(last)}` : number(bound);
    return element("li", {}, swatch, text);
  });
  container.replaceChildren(element("span", { class: "legend-title" }, `${unit} by cell`), element("ul", {}, swatches));
  container.hidden = !bounds.length;
}

/** What the table has, in one line. */
export function summary(overview) {
  const years = overview.years.filter((year) => year !== null);
  const parts = [counted(overview.rows, "row"), counted(overview.cell_count, "cell"), counted(overview.files, "file")];
  if (years.length) parts.push(years[0] === years.at(-1) ? `${years[0]}` : `${years[0]} to ${years.at(-1)}`);
  if (overview.committed_at) parts.push(`as of ${overview.committed_at.slice(0, 16).replace("T", " ")} UTC`);
  return parts.join(" · ");
}

const degrees = (value) => Number(value.toFixed(2));

function collectionRows(overview, pick) {
  const day = (time) => (time ? time.slice(0, 10) : "…");
  return overview.collections.map(({ id, rows, bbox, interval }) => {
    const facts = [counted(rows, "row")];
    if (interval) facts.push(`${day(interval[0])} to ${day(interval[1])}`);
    if (bbox) facts.push(`${bbox.map(degrees).join(", ")}`);
    const name = pick ? element("button", { type: "button", class: "link", onclick: () => pick(id) }, id) : element("strong", {}, id);
    return element("li", {}, name, element("span", { class: "note" }, facts.join(" · ")));
  });
}

/** Collections, the largest cells, and what the numbers are. `pick` has `collection` and `cell`, or is not given. */
export function panel(container, overview, cells, pick = {}) {
  const largest = cells.slice(-LISTED).reverse();
  const rows = largest.map(({ cell, number: rowsOf }) =>
    element("li", {}, element("button", { type: "button", class: "link mono", onclick: () => pick.cell(cell) }, cell), element("span", { class: "note" }, counted(rowsOf, "row"))),
  );
  const mixed = overview.collections_complete ? null : element("p", { class: "note" }, "Of other files the metadata does not say the collection.");
  const coarse = overview.resolution < overview.grid_resolution ? ` The grid's cells are of resolution ${overview.grid_resolution}; here they are together in those of ${overview.resolution}.` : "";
  const elsewhere = overview.rows_elsewhere ? ` ${counted(overview.rows_elsewhere, "row")} ${overview.rows_elsewhere === 1 ? "has" : "have"} no place.` : "";
  container.replaceChildren(
    element("h2", {}, "Collections"),
    overview.collections.length ? element("ul", { class: "facts" }, collectionRows(overview, pick.collection)) : element("p", { class: "note" }, "None is known."),
    ...(mixed ? [mixed] : []),
    element("h2", {}, "Cells with the most rows"),
    rows.length ? element("ol", { class: "facts" }, rows) : element("p", { class: "note" }, "There are none."),
    element("p", { class: "note" }, `A row is one version of an Item in one cell: an Item in several cells counts in each, and older versions count until they are compacted.${coarse}${elsewhere}`),
  );
}
