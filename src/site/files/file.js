// The file that `earthcatalog map` writes: the overview, which is in the file itself.

import { byId, counted } from "./dom.js";
import { Atlas } from "./map.js";
import { cellsIn, legend, panel, summary, yearsOf } from "./overview.js";
import { Timeline } from "./timeline.js";
import { switcher } from "./views.js";

const data = (id) => JSON.parse(byId(id).textContent);
const overview = data("overview-data");
let atlas;
let range = null;

function show() {
  const { cells, bounds } = cellsIn(overview, range);
  atlas?.setCells(cells, atlas.chosenCell);
  legend(byId("legend"), bounds, "Rows");
  panel(byId("overview"), overview, cells, { cell: look });
}

/** Marks a cell, and moves to it. */
function look(cell) {
  if (!atlas) return;
  atlas.setCells(atlas.cells, cell);
  const found = atlas.cells.find((each) => each.cell === cell);
  hover(cell);
  if (found) atlas.show([found.geometry]);
}

function hover(cell) {
  const found = atlas?.cells.find((each) => each.cell === cell);
  byId("hover").textContent = found ? `${cell}: ${counted(found.number, "row")}` : "";
}

async function start() {
  document.title = overview.title;
  byId("title").textContent = overview.title;
  byId("summary").textContent = summary(overview);
  const timeline = new Timeline(byId("timeline"), (years) => {
    range = years;
    show();
  });
  timeline.set(yearsOf(overview), "row");
  show();
  switcher(byId("views"), "globe", (view) => atlas?.setView(view));
  try {
    const made = new Atlas(byId("map"), data("land-data"), "globe", { cell: look, item: () => {}, hover });
    await made.ready;
    atlas = made;
    show();
    atlas.home();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  } catch (error) {
    byId("map").textContent = "There is no map: this browser has no WebGL.";
    console.info(error);
  }
}

start();
