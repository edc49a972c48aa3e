// The page of the service: the form, the answer, and what of both is on the map.

import * as api from "./api.js";
import { byId, copyable, counted, element, number } from "./dom.js";
import { complain, field, fillCollections, fillQueryables, noProblem, readForm, writeForm } from "./form.js";
import { VIEWS } from "./geography.js";
import { listed, readable, whole } from "./item.js";
import { Atlas } from "./map.js";
import { cellsIn, classified, legend, panel, summary, yearsOf } from "./overview.js";
import { EMPTY, Unclear, command, curl, fromFragment, parameters, python, query, sql, toFragment } from "./question.js";
import { Timeline } from "./timeline.js";
import { switcher } from "./views.js";

/** Items of a page of the answer. */
const PAGE = 50;
const state = { question: { ...EMPTY }, isAsked: false, view: "globe", item: null };
let overview, atlas, timeline;
let answer = { items: [], matched: null, next: null, cells: null, years: null };
let running = new AbortController();
/** Whether what is done is what the address says. */
let isFollowing = false;

/** Says what went wrong; what is no answer of the service, nor a mistake in the form, is one of this page. */
function failed(error) {
  if (error.name === "AbortError") return;
  complain(error);
  if (!(error instanceof Unclear) && !(error instanceof api.Refused)) throw error;
}

// ---- the answer ----

/** Asks what the form says. */
async function ask() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  noProblem();
  state.question = readForm();
  state.item = null;
  showItem(null);
  let found;
  try {
    found = parameters(state.question);
  } catch (error) {
    return failed(error);
  }
  state.isAsked = true;
  remember();
  showPlace(found);
  answer = { items: [], matched: null, next: null, cells: null, years: null };
  say("Searching…");
  byId("results").setAttribute("aria-busy", "true");
  try {
    take(await api.search({ ...found, limit: PAGE }, query, signal));
    showAnswer(found);
    atlas?.show(answer.items.map(({ geometry }) => geometry));
    // What was counted is not too much to be counted by cell and year, too.
    if (answer.matched > 0) await countByCell(found, signal);
  } catch (error) {
    if (error.name !== "AbortError") say("");
    failed(error);
  } finally {
    if (signal === running.signal) byId("results").removeAttribute("aria-busy");
  }
}

function take(page) {
  answer.items.push(...page.features.map(readable));
  answer.matched = page.numberMatched ?? answer.matched;
  answer.next = page.links.find(({ rel }) => rel === "next") ?? null;
}

async function countByCell(found, signal) {
  const wanted = { ...found, aggregations: ["datetime_frequency", "geometry_geohex_grid_frequency"], datetime_frequency_interval: "year", geometry_geohex_grid_frequency_precision: overview.resolution };
  let aggregations;
  try {
    ({ aggregations } = await api.aggregate(wanted, query, signal));
  } catch (error) {
    // Nothing is wrong with the Items if they cannot be counted.
    if (error instanceof api.Refused) return;
    throw error;
  }
  const [years, cells] = aggregations.map(({ buckets }) => buckets);
  const outlines = new Map(overview.cells.map(({ cell, geometry }) => [cell, geometry]));
  answer.cells = classified(cells.filter(({ key }) => outlines.has(key)).map(({ key, frequency }) => ({ cell: key, number: frequency, geometry: outlines.get(key) })));
  answer.years = years.map(({ key, frequency }) => [Number(key.slice(0, 4)), frequency]);
  showNumbers();
}

async function more() {
  const { signal } = running;
  const first = answer.items.length;
  byId("more").disabled = true;
  try {
    take(await api.next(answer.next, signal));
    showAnswer(parameters(state.question));
    byId("list").querySelectorAll(".result")[first]?.focus();
  } catch (error) {
    failed(error);
  } finally {
    byId("more").disabled = false;
  }
}

const say = (text) => (byId("count").textContent = text);

function showAnswer(found) {
  const { items, matched, next } = answer;
  const shown = items.length;
  const total = matched === null ? "more than are counted" : number(matched);
  say(shown === 0 ? "No Item is found." : next ? `The first ${number(shown)} of ${total} Items, newest first` : `${counted(shown, "Item")}, newest first`);
  byId("list").replaceChildren(...items.map((item, index) => listed(item, () => choose(index))));
  byId("more").hidden = !next;
  byId("overview").hidden = true;
  byId("answer").hidden = false;
  byId("clear").hidden = false;
  const address = new URL(`search?${query(found)}`, document.baseURI).href;
  const root = new URL(".", document.baseURI).href;
  byId("elsewhere-texts").replaceChildren(
    element("p", { class: "actions" }, element("a", { href: `search?${query(found)}` }, "API (GeoJSON)"), element("button", { type: "button", class: "link", onclick: () => download(found) }, "GeoParquet (all Items)")),
    copyable("Command", command(found), "With the catalog and the warehouse in the environment or as flags."),
    copyable("SQL", sql(found)),
    copyable("GeoParquet with curl", curl(address)),
    copyable("Python, pystac-client", python(found, root)),
  );
  atlas?.setItems(items);
  showNumbers();
}

/** Cells, timeline and legend: of what is found where that was counted, else of the whole table. */
function showNumbers() {
  const range = yearsAsked();
  if (answer.cells) {
    atlas?.setCells(answer.cells.cells);
    legend(byId("legend"), answer.cells.bounds, "Items found");
    timeline.set(answer.years, "Item");
    timeline.show(range);
    return;
  }
  const { cells, bounds } = cellsIn(overview, range);
  atlas?.setCells(cells);
  legend(byId("legend"), bounds, "Rows");
  timeline.set(yearsOf(overview), "row");
  timeline.show(range);
  panel(byId("overview"), overview, cells, { collection: pickCollection, cell: pickCell });
}

/** The whole years that the form asks for. */
function yearsAsked() {
  const { from, until } = readForm();
  if (!from && !until) return null;
  const year = (text, other) => (/^\d{4}/.test(text) ? Number(text.slice(0, 4)) : other);
  return [year(from, -9999), year(until, 9999)];
}

async function download(found) {
  say("Writing the file…");
  try {
    const file = URL.createObjectURL(await api.geoparquet(found));
    element("a", { href: file, download: "items.parquet" }).click();
    setTimeout(() => URL.revokeObjectURL(file), 60_000);
    say("The file is written.");
  } catch (error) {
    failed(error);
  }
}

// ---- one Item ----

function choose(index) {
  const item = answer.items[index];
  state.item = item.collection ? { collection: item.collection, id: item.id } : null;
  remember();
  showItem(item);
  atlas?.setItems(answer.items, index);
  atlas?.show([item.geometry]);
}

function showItem(item) {
  byId("item").hidden = !item;
  byId("ask").hidden = Boolean(item);
  if (!item) return;
  byId("item-body").replaceChildren(...whole(item));
  byId("item-body").querySelector("h2").focus({ preventScroll: true });
  byId("panel").scrollTop = 0;
}

function back() {
  const index = answer.items.findIndex(({ id, collection }) => id === state.item?.id && collection === state.item?.collection);
  state.item = null;
  remember();
  showItem(null);
  atlas?.setItems(answer.items);
  byId("list").querySelectorAll(".result")[Math.max(index, 0)]?.focus();
}

// ---- what is picked ----

function pickCollection(id) {
  writeForm({ ...readForm(), collections: [id] });
  ask();
}

function pickCell(cell) {
  const found = overview.cells.find((each) => each.cell === cell);
  if (!found) return;
  field("place").value = JSON.stringify(found.geometry);
  ask();
}

function pickYears(range) {
  field("from").value = range ? String(range[0]) : "";
  field("until").value = range ? String(range[1]) : "";
  if (state.isAsked) ask();
  else showNumbers();
}

function hover(cell) {
  const shown = cell && (answer.cells?.cells ?? atlas.cells).find((each) => each.cell === cell);
  byId("hover").textContent = shown ? `${cell}: ${counted(shown.number, answer.cells ? "Item" : "row")}` : "";
}

function showPlace(found) {
  if (!atlas) return;
  const { bbox, intersects } = found;
  if (!bbox) return atlas.setPlace(intersects ?? null);
  const [west, south, east, north] = bbox;
  const ring = (w, e) => [[[w, south], [e, south], [e, north], [w, north], [w, south]]];
  const coordinates = west > east ? [ring(west, 180), ring(-180, east)] : [ring(west, east)];
  atlas.setPlace({ type: "MultiPolygon", coordinates });
}

async function drawPlace() {
  byId("draw").setAttribute("aria-pressed", "true");
  say("Drag a box on the map; Escape gives up.");
  const place = await atlas.draw();
  byId("draw").setAttribute("aria-pressed", "false");
  say("");
  if (!place) return;
  field("place").value = place;
  ask();
}

function clear() {
  running.abort();
  noProblem();
  writeForm(EMPTY);
  Object.assign(state, { question: { ...EMPTY }, isAsked: false, item: null });
  answer = { items: [], matched: null, next: null, cells: null, years: null };
  remember();
  say("");
  byId("answer").hidden = true;
  byId("overview").hidden = false;
  byId("clear").hidden = true;
  atlas?.setItems([]);
  atlas?.setPlace(null);
  showItem(null);
  showNumbers();
  field("place").focus();
}

// ---- the address ----

function remember() {
  const fragment = toFragment(state);
  if (`#${fragment}` === location.hash) return;
  const address = fragment ? `#${fragment}` : location.pathname + location.search;
  // What the address says is not another step of the browser's history, if it says it in other letters.
  history[isFollowing ? "replaceState" : "pushState"](null, "", address);
}

/** Does what the address says: at the start, and when the browser goes back. */
async function follow() {
  isFollowing = true;
  try {
    await followed();
  } finally {
    isFollowing = false;
  }
}

async function followed() {
  const said = fromFragment(location.hash);
  const view = said.view in VIEWS ? said.view : "globe";
  if (view !== state.view) {
    state.view = view;
    byId("views").select(view);
    atlas?.setView(view);
  }
  writeForm(said.question);
  if (!said.isAsked) {
    if (state.isAsked) clear();
  } else {
    const { item } = said;
    if (!state.isAsked || JSON.stringify(said.question) !== JSON.stringify(state.question)) {
      const asked = ask();
      isFollowing = false;
      await asked;
      // Somebody may have chosen an Item meanwhile.
      if (state.item) return;
    }
    if (!item) return state.item && back();
    const index = answer.items.findIndex(({ id, collection }) => id === item.id && collection === item.collection);
    if (index >= 0) choose(index);
  }
  if (said.item && !state.item) await showOne(said.item);
}

/** An Item that is not in the list. */
async function showOne({ collection, id }) {
  try {
    const item = readable(await api.item(collection, id));
    answer.items.unshift(item);
    showAnswer(parameters(state.question));
    choose(0);
  } catch (error) {
    failed(error);
  }
}

// ---- the start ----

async function land() {
  return (await fetch("site/land.json")).json();
}

async function start() {
  const said = fromFragment(location.hash);
  state.view = said.view in VIEWS ? said.view : "globe";
  timeline = new Timeline(byId("timeline"), pickYears);
  switcher(byId("views"), state.view, (view) => {
    state.view = view;
    atlas?.setView(view);
    remember();
  });
  byId("question").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  byId("clear").addEventListener("click", clear);
  byId("more").addEventListener("click", more);
  byId("back").addEventListener("click", back);
  byId("draw").addEventListener("click", drawPlace);
  byId("in-view").addEventListener("click", () => {
    field("place").value = atlas.placeInView();
    ask();
  });
  addEventListener("popstate", follow);
  let names;
  try {
    [overview, names] = await Promise.all([api.overview(), api.queryables()]);
  } catch (error) {
    return failed(error);
  }
  byId("title").textContent = overview.title;
  document.title = overview.title;
  byId("summary").textContent = summary(overview);
  fillCollections(overview.collections.map(({ id }) => id));
  fillQueryables(names);
  showNumbers();
  await startMap();
  await follow();
  if (!overview.collections_complete) await allCollections();
}

/** Where the metadata does not tell all collections, the service reads them; nobody waits for that. */
async function allCollections() {
  try {
    const { collections } = await api.collections();
    fillCollections(collections.map(({ id }) => id));
  } catch (error) {
    // Those that are known can be chosen still.
    if (!(error instanceof api.Refused)) throw error;
  }
}

async function startMap() {
  try {
    const on = { cell: (cell) => cell && pickCell(cell), item: choose, hover };
    const made = new Atlas(byId("map"), await land(), state.view, on);
    await made.ready;
    atlas = made;
    showNumbers();
    atlas.home();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showNumbers);
  } catch (error) {
    byId("map").replaceChildren(element("p", { class: "no-map" }, "There is no map: this browser has no WebGL. All else works."));
    byId("draw").disabled = byId("in-view").disabled = true;
    console.info(error);
  }
}

start();
