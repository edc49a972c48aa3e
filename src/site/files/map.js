// The map: land, cells by number, footprints, and a box that is drawn. Four views: a globe, a flat map, and both poles.

import { drawBox } from "./drawing.js";
import { LOWEST, VIEWS, area, box, disk, dots, fromPlane, graticule, middle, outline, positions, toPlane, wrapped } from "./geography.js";

const COLORS = {
  light: {
    sea: "#dfe7ec", land: "#f7f5f0", coast: "#8d9aa3", line: "#c3ced6",
    classes: ["#d5ebe6", "#9fd0ca", "#63aeb0", "#2f8694", "#155a72", "#0a3550"],
    edge: "#0f5b6c", footprint: "#b5490f", chosen: "#d81b60", place: "#5b3fc4",
  },
  dark: {
    sea: "#10181e", land: "#222c33", coast: "#5c6b75", line: "#2a363e",
    classes: ["#17404a", "#1c5c66", "#248086", "#3fa7a2", "#7ccdbb", "#d3f1df"],
    edge: "#6fc3bd", footprint: "#ff9a4d", chosen: "#ff5c93", place: "#b3a1ff",
  },
};

const EMPTY = { type: "FeatureCollection", features: [] };
const SOURCES = ["disk", "land", "coast", "graticule", "cells", "cell-edges", "footprints", "footprint-edges", "dots", "place", "place-edge"];

/** Near by, what is below the cells is worth more than their colours. */
const FADING = ["interpolate", ["linear"], ["zoom"], 2, 1, 4.5, 0.3];

/** Points of each side of a box that is drawn where it is not one of longitudes and latitudes. */
const SIDE = 8;

export function isDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The colours of the classes of a number, from few to many. */
export const classColors = () => COLORS[isDark() ? "dark" : "light"].classes;

export class Atlas {
  /** Throws where the browser has no WebGL. `on` has `cell`, `hover`, `item` and `drawn`. */
  constructor(container, land, view, on) {
    this.container = container;
    this.land = land;
    this.on = on;
    this.viewName = view in VIEWS ? view : "globe";
    this.cells = [];
    this.items = [];
    this.place = null;
    this.map = new maplibregl.Map({
      container,
      attributionControl: false,
      renderWorldCopies: false,
      dragRotate: false,
      pitchWithRotate: false,
      maxPitch: 0,
      fadeDuration: 0,
      center: [0, 30],
      zoom: 1,
      minZoom: -1,
      style: this.style(),
    });
    container.map = this.map;
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    this.map.getCanvas().setAttribute("aria-label", "Map. Arrow keys move it, plus and minus zoom.");
    this.ready = new Promise((done) => this.map.once("load", done)).then(() => {
      this.setView(this.viewName);
      this.listen();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolor());
  }

  get view() {
    return VIEWS[this.viewName];
  }

  style() {
    const sources = Object.fromEntries(SOURCES.map((name) => [name, { type: "geojson", data: EMPTY }]));
    return { version: 8, sources, layers: this.layers() };
  }

  layers() {
    const color = COLORS[isDark() ? "dark" : "light"];
    const chosen = (one, other) => ["case", ["==", ["get", "chosen"], true], one, other];
    const fill = (id, source, paint) => ({ id, type: "fill", source, paint: { "fill-antialias": false, ...paint } });
    const line = (id, source, paint) => ({ id, type: "line", source, layout: { "line-join": "round", "line-cap": "round" }, paint });
    const byClass = ["match", ["get", "class"], ...color.classes.flatMap((value, i) => [i, value]), color.classes[0]];
    return [
      { id: "background", type: "background", paint: { "background-color": this.view?.pole ? "rgba(0,0,0,0)" : color.sea } },
      fill("disk", "disk", { "fill-color": color.sea }),
      fill("land", "land", { "fill-color": color.land }),
      line("graticule", "graticule", { "line-color": color.line, "line-width": 0.7 }),
      fill("cells", "cells", { "fill-color": byClass, "fill-opacity": FADING }),
      line("cell-edges", "cell-edges", { "line-color": chosen(color.chosen, color.edge), "line-width": chosen(2.5, 0.6), "line-opacity": chosen(1, 0.55) }),
      line("coast", "coast", { "line-color": color.coast, "line-width": 0.8 }),
      fill("footprints", "footprints", { "fill-color": chosen(color.chosen, color.footprint), "fill-opacity": chosen(0.3, 0.07) }),
      line("footprint-edges", "footprint-edges", { "line-color": chosen(color.chosen, color.footprint), "line-width": chosen(2.5, 1.1) }),
      { id: "dots", type: "circle", source: "dots", paint: { "circle-radius": chosen(7, 4), "circle-color": chosen(color.chosen, color.footprint), "circle-opacity": 0.8 } },
      fill("place", "place", { "fill-color": color.place, "fill-opacity": 0.06 }),
      line("place-edge", "place-edge", { "line-color": color.place, "line-width": 2, "line-dasharray": [2, 1.5] }),
    ];
  }

  recolor() {
    for (const { id, paint } of this.layers()) {
      for (const [name, value] of Object.entries(paint)) this.map.setPaintProperty(id, name, value);
    }
  }

  /** Shows another view; what is drawn stays. */
  setView(name) {
    this.viewName = name in VIEWS ? name : "globe";
    this.map.setProjection({ type: name === "globe" ? "globe" : "mercator" });
    this.recolor();
    const { view } = this;
    this.put("disk", view.pole ? [{ geometry: disk(view) }] : []);
    this.put("land", [{ geometry: area(this.land, view) }]);
    this.put("coast", [{ geometry: outline(this.land, view) }]);
    this.put("graticule", [{ geometry: graticule(view) }]);
    this.drawCells();
    this.drawItems();
    this.drawPlace();
    this.home();
  }

  /** Where a view begins: all that is drawn, or the pole. */
  home() {
    const { pole } = this.view;
    const size = Math.min(this.container.clientWidth, this.container.clientHeight);
    if (pole) {
      // The circle of 50 degrees fits into the map.
      const [edge] = toPlane({ pole, meridian: 0 }, [90, 50 * pole]);
      return this.map.jumpTo({ center: [0, 0], zoom: Math.log2((size * 180) / (512 * edge)) });
    }
    if (this.viewName === "flat") return this.map.fitBounds([[-180, -72], [180, 84]], { animate: false, padding: 8 });
    const shown = this.items.length ? this.items : this.cells;
    const found = shown.flatMap(({ geometry }) => positions(geometry).slice(0, 1));
    // Where both poles have something, the middle is none: the half with more is shown.
    const north = found.filter(([, latitude]) => latitude >= 0);
    const half = north.length * 2 >= found.length ? north : found.filter(([, latitude]) => latitude < 0);
    const { center } = found.length ? middle(half) : { center: [0, 30] };
    this.map.jumpTo({ center, zoom: this.globeZoom(center[1], 65) });
  }

  /** The zoom at which the globe shows so many degrees around a latitude. */
  globeZoom(latitude, radius) {
    const size = Math.min(this.container.clientWidth, this.container.clientHeight);
    const across = Math.sin((Math.min(Math.max(radius, 1), 65) * Math.PI) / 180);
    const shrunk = Math.cos((Math.min(Math.abs(latitude), 85) * Math.PI) / 180);
    return Math.log2((0.42 * size * 2 * Math.PI * shrunk) / (512 * across));
  }

  /** Moves to geometries. */
  show(geometries) {
    const { view } = this;
    // What lies about the other pole does not count.
    const all = geometries.flatMap(positions).filter(([, latitude]) => !view.pole || latitude * view.pole > LOWEST);
    if (!all.length) return;
    if (this.viewName === "globe") {
      const { center, radius } = middle(all);
      return this.map.easeTo({ center, zoom: Math.min(this.globeZoom(center[1], radius * 1.15), 8) });
    }
    let bounds;
    if (view.pole) {
      const seen = all.map((at) => toPlane(view, at));
      const [xs, ys] = [seen.map(([x]) => x), seen.map(([, y]) => y)];
      const least = (values, pick) => values.reduce((a, b) => pick(a, b));
      bounds = [[least(xs, Math.min), least(ys, Math.min)], [least(xs, Math.max), least(ys, Math.max)]];
    } else {
      const [west, south, east, north] = box(all);
      bounds = west > east ? [[-180, south], [180, north]] : [[west, south], [east, north]];
    }
    this.map.fitBounds(bounds, { padding: 48, maxZoom: 8 });
  }

  put(source, drawn) {
    const features = drawn.filter(({ geometry }) => geometry).map(({ geometry, properties = {} }) => ({ type: "Feature", geometry, properties }));
    this.map.getSource(source)?.setData({ type: "FeatureCollection", features });
  }

  /** Cells: `{cell, number, class, geometry}`. */
  setCells(cells, chosen = null) {
    this.cells = cells;
    this.chosenCell = chosen;
    this.drawCells();
  }

  drawCells() {
    const { view } = this;
    const of = ({ cell, class: index }) => ({ cell, class: index, chosen: cell === this.chosenCell });
    this.put("cells", this.cells.map((each) => ({ geometry: area(each.geometry, view), properties: of(each) })));
    this.put("cell-edges", this.cells.map((each) => ({ geometry: outline(each.geometry, view), properties: of(each) })));
  }

  /** Items, and the index of the one that is looked at. */
  setItems(items, chosen = -1) {
    this.items = items;
    this.chosenItem = chosen;
    this.drawItems();
  }

  drawItems() {
    const { view } = this;
    const draw = (source, drawn) => {
      const all = this.items.map(({ geometry }, index) => ({ geometry: drawn(geometry, view), properties: { index, chosen: index === this.chosenItem } }));
      // The chosen one lies on top.
      this.put(source, all.sort((a, b) => a.properties.chosen - b.properties.chosen));
    };
    draw("footprints", area);
    draw("footprint-edges", outline);
    draw("dots", dots);
  }

  /** The place that is asked for. */
  setPlace(geometry) {
    this.place = geometry;
    this.drawPlace();
  }

  drawPlace() {
    this.put("place", [{ geometry: this.place && area(this.place, this.view) }]);
    this.put("place-edge", [{ geometry: this.place && outline(this.place, this.view) }]);
  }

  listen() {
    const { map } = this;
    const top = (point, layers) => map.queryRenderedFeatures(point, { layers })[0]?.properties;
    const around = ({ x, y }) => [[x - 3, y - 3], [x + 3, y + 3]];
    map.on("click", ({ point }) => {
      if (this.drawing) return;
      const item = top(around(point), ["footprints", "footprint-edges", "dots"]);
      if (item) return this.on.item(item.index);
      this.on.cell(top(point, ["cells"])?.cell ?? null);
    });
    map.on("mousemove", ({ point }) => {
      if (this.drawing) return;
      const item = this.items.length ? top(around(point), ["footprints", "footprint-edges", "dots"]) : null;
      const cell = top(point, ["cells"]);
      map.getCanvas().style.cursor = item || cell ? "pointer" : "";
      this.on.hover(cell?.cell ?? null);
    });
    map.on("mouseout", () => this.on.hover(null));
  }

  /** The place below a box of the screen: a box in degrees where the view is flat, else a polygon. */
  placeOf([x1, y1], [x2, y2]) {
    const round = (value) => Number(value.toFixed(3));
    const at = (x, y) => {
      const { lng, lat } = this.map.unproject([x, y]);
      const [longitude, latitude] = this.view.pole ? fromPlane(this.view, [lng, lat]) : [lng, lat];
      return [round(this.viewName === "flat" ? longitude : wrapped(longitude)), round(Math.max(-90, Math.min(90, latitude)))];
    };
    const [left, right, top, bottom] = [Math.min(x1, x2), Math.max(x1, x2), Math.min(y1, y2), Math.max(y1, y2)];
    if (this.viewName === "flat") {
      const [[west, north], [east, south]] = [at(left, top), at(right, bottom)];
      return [Math.max(west, -180), south, Math.min(east, 180), north].join(", ");
    }
    const corners = [[left, bottom], [right, bottom], [right, top], [left, top]];
    const ring = corners.flatMap(([x, y], i) => {
      const [toX, toY] = corners[(i + 1) % 4];
      return Array.from({ length: SIDE }, (_, step) => at(x + ((toX - x) * step) / SIDE, y + ((toY - y) * step) / SIDE));
    });
    const distinct = ring.filter((point, i) => i === 0 || String(point) !== String(ring[i - 1]));
    return JSON.stringify({ type: "Polygon", coordinates: [[...distinct, distinct[0]]] });
  }

  /** The place of all that is seen. */
  placeInView() {
    const { clientWidth, clientHeight } = this.container;
    return this.placeOf([0, 0], [clientWidth, clientHeight]);
  }

  /** Lets a box be drawn with the pointer; the promise is its place, or null where that was given up. */
  async draw() {
    this.stopDrawing?.();
    this.drawing = true;
    this.map.dragPan.disable();
    this.map.touchZoomRotate.disable();
    const drawn = drawBox(this.map.getCanvasContainer(), this.container);
    this.stopDrawing = drawn.stop;
    const corners = await drawn.corners;
    this.stopDrawing = null;
    this.map.dragPan.enable();
    this.map.touchZoomRotate.enable();
    this.map.touchZoomRotate.disableRotation();
    // The click that ends the drawing is not one on the map.
    setTimeout(() => (this.drawing = false));
    return corners && this.placeOf(...corners);
  }
}
