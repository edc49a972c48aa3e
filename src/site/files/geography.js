// Geometry for the map: the polar views, and outlines without the seams that RFC 7946 cuts.
//
// A polar view is a stereographic map, of which MapLibre knows nothing: its x and y are handed over as if they were
// longitude and latitude on the Mercator plane. North as EPSG:3413 has it, with 45°W down; south as EPSG:3031, with 0° up.

export const VIEWS = {
  globe: { name: "Globe" },
  flat: { name: "Flat" },
  arctic: { name: "Arctic", pole: 1, meridian: -45 },
  antarctic: { name: "Antarctic", pole: -1, meridian: 0 },
};

/** The lowest latitude of a polar view, as it were of the north. */
export const LOWEST = 10;

const RADIANS = Math.PI / 180;
/** Degrees between two points of an edge that becomes a curve. */
const STEP = 2;

/** A position of a polar view on the plane of the map. */
export function toPlane({ pole, meridian }, [longitude, latitude]) {
  const north = Math.min(Math.max(latitude * pole, LOWEST), 90);
  const radius = Math.tan((45 - north / 2) * RADIANS);
  const angle = (longitude - meridian) * RADIANS;
  const y = -pole * radius * Math.cos(angle);
  return [90 * radius * Math.sin(angle), Math.atan(Math.sinh((y * Math.PI) / 2)) / RADIANS];
}

/** The longitude and latitude at a point of the plane. */
export function fromPlane({ pole, meridian }, [planeX, planeY]) {
  const x = planeX / 90;
  const y = (Math.asinh(Math.tan(planeY * RADIANS)) * 2) / Math.PI;
  const latitude = pole * (90 - (2 * Math.atan(Math.hypot(x, y))) / RADIANS);
  const longitude = meridian + Math.atan2(x, -pole * y) / RADIANS;
  return [wrapped(longitude), latitude];
}

/** A longitude from -180 to 180. */
export const wrapped = (longitude) => longitude - 360 * Math.floor((longitude + 180) / 360);

const isPosition = (at) => Array.isArray(at) && at.length >= 2 && at.slice(0, 2).every(Number.isFinite);

const isLine = (line) => Array.isArray(line) && line.length > 0 && line.every(isPosition);

/** A geometry without what cannot be drawn: Items are shown as they came, with rings that are empty, or are no rings. */
export function drawable(geometry) {
  const of = (coordinates, isGood) => (Array.isArray(coordinates) ? coordinates.filter(isGood) : []);
  const { type, coordinates } = geometry ?? {};
  switch (type) {
    case "Point":
      return isPosition(coordinates) ? { type, coordinates } : null;
    case "MultiPoint":
      return { type, coordinates: of(coordinates, isPosition) };
    case "LineString":
      return isLine(coordinates) ? { type, coordinates } : null;
    case "MultiLineString":
      return { type, coordinates: of(coordinates, isLine) };
    case "Polygon":
      return { type, coordinates: of(coordinates, isLine) };
    case "MultiPolygon":
      return { type, coordinates: of(coordinates, Array.isArray).map((polygon) => of(polygon, isLine)) };
    case "GeometryCollection":
      return { type, geometries: of(geometry.geometries, Boolean).map(drawable).filter(Boolean) };
    default:
      return null;
  }
}

/** The polygons of a geometry, in rings. */
export function polygons(geometry) {
  switch (geometry?.type) {
    case "Polygon":
      return [geometry.coordinates];
    case "MultiPolygon":
      return geometry.coordinates;
    case "GeometryCollection":
      return geometry.geometries.flatMap(polygons);
    default:
      return [];
  }
}

/** The lines of a geometry that is not an area. */
function lines(geometry) {
  switch (geometry?.type) {
    case "LineString":
      return [geometry.coordinates];
    case "MultiLineString":
      return geometry.coordinates;
    case "GeometryCollection":
      return geometry.geometries.flatMap(lines);
    default:
      return [];
  }
}

/** The points of a geometry that is neither an area nor a line. */
function points(geometry) {
  switch (geometry?.type) {
    case "Point":
      return [geometry.coordinates];
    case "MultiPoint":
      return geometry.coordinates;
    case "GeometryCollection":
      return geometry.geometries.flatMap(points);
    default:
      return [];
  }
}

/** All positions of a geometry. */
export const positions = (geometry) => [...polygons(geometry).flat(2), ...lines(geometry).flat(), ...points(geometry)];

/** Whether an edge is where a footprint was cut: on the antimeridian, or at a pole. */
function isSeam([x1, y1], [x2, y2]) {
  const isCut = (x) => Math.abs(Math.abs(x) - 180) < 0.001;
  const isPole = (y) => Math.abs(y) > 89.99;
  return (isCut(x1) && isCut(x2)) || (isPole(y1) && isPole(y2));
}

/** A line whose longitudes do not jump at the antimeridian, as those of places and of Items as they came may. */
function unrolled(line) {
  let turn = 0;
  return line.map(([x, y], i) => {
    const [before, latitude] = line[i - 1] ?? [x, y];
    const isPole = Math.abs(y) > 89.99 && Math.abs(latitude) > 89.99;
    if (Math.abs(x - before) > 180 && !isPole) turn += x > before ? -360 : 360;
    return [x + turn, y];
  });
}

/** The same of a ring, closed along the pole where it goes round one. */
function closed(ring) {
  const found = unrolled(ring);
  const [first, last] = [found[0], found.at(-1)];
  if (Math.abs(last[0] - first[0]) < 180) return found;
  const pole = ring.reduce((sum, [, y]) => sum + y, 0) < 0 ? -90 : 90;
  return [...found, [last[0], pole], [first[0], pole], first];
}

/** A line with points between, where its edges are long. */
function dense(line) {
  const found = [];
  line.forEach((to, i) => {
    const from = line[i - 1];
    if (from) {
      const steps = Math.ceil(Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])) / STEP);
      for (let step = 1; step < steps; step++) {
        const part = step / steps;
        found.push([from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part]);
      }
    }
    found.push(to);
  });
  return found;
}

/** Pieces of a line without its seams and, in a polar view, without what lies too low. */
function pieces(line, view) {
  const found = [[]];
  dense(unrolled(line)).forEach((at, i, all) => {
    const isLow = view.pole && at[1] * view.pole < LOWEST;
    if (isLow || (i > 0 && isSeam(all[i - 1], at))) found.push([]);
    if (!isLow) found.at(-1).push(at);
  });
  return found.filter((piece) => piece.length > 1);
}

/** What of a ring is not too low for a polar view. */
function aboveLowest(ring, pole) {
  const isIn = ([, y]) => y * pole >= LOWEST;
  const found = [];
  for (let i = 1; i < ring.length; i++) {
    const [from, to] = [ring[i - 1], ring[i]];
    if (isIn(from)) found.push(from);
    if (isIn(from) !== isIn(to)) {
      const part = (LOWEST * pole - from[1]) / (to[1] - from[1]);
      found.push([from[0] + (to[0] - from[0]) * part, LOWEST * pole]);
    }
  }
  return found.length ? [...found, found[0]] : [];
}

const hasPole = (polygon) => polygon[0].some(([, latitude]) => Math.abs(latitude) > 89.99);

const belowEdge = (ring) => ring.map(([x, y]) => [x, Math.max(-84.9, Math.min(84.9, y))]);

const onView = (view) => (view.pole ? (at) => toPlane(view, at) : (at) => [at[0], at[1]]);

/** The areas of a geometry as a view shows them; `null` where there is none. */
export function area(geometry, view) {
  let found = polygons(geometry).filter((polygon) => polygon.length).map((polygon) => polygon.map(closed));
  if (view.pole) {
    const seen = found.map((polygon) => polygon.map((ring) => aboveLowest(ring, view.pole)).filter((ring) => ring.length > 3));
    found = seen.filter((polygon) => polygon.length).map((polygon) => polygon.map(dense));
  }
  // MapLibre's tiles end at 85 degrees, and its globe draws what reaches that edge on to the pole: only what has the
  // pole may do that.
  if (view === VIEWS.globe) found = found.map((polygon) => (hasPole(polygon) ? polygon : polygon.map(belowEdge)));
  const shown = found.map((polygon) => polygon.map((ring) => ring.map(onView(view))));
  return shown.length ? { type: "MultiPolygon", coordinates: shown } : null;
}

/** The outline of a geometry as a view shows it. */
export function outline(geometry, view) {
  const all = [...polygons(geometry).flat(), ...lines(geometry)].flatMap((line) => pieces(line, view));
  const shown = all.map((line) => line.map(onView(view)));
  return shown.length ? { type: "MultiLineString", coordinates: shown } : null;
}

/** The points of a geometry as a view shows them. */
export function dots(geometry, view) {
  const found = points(geometry).filter(([, latitude]) => !view.pole || latitude * view.pole >= LOWEST);
  return found.length ? { type: "MultiPoint", coordinates: found.map(onView(view)) } : null;
}

/** Parallels and meridians. */
export function graticule(view) {
  const steps = (from, to, step) => Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
  const meridians = steps(-180, 150, 30).map((x) => steps(-80, 80, 2).map((y) => [x, y]));
  const parallels = steps(-80, 80, 10).map((y) => steps(-180, 180, 2).map((x) => [x, y]));
  const shown = [...meridians, ...parallels].map((line) => line.filter(([, y]) => !view.pole || y * view.pole >= LOWEST));
  const coordinates = shown.filter((line) => line.length > 1).map((line) => line.map(onView(view)));
  return { type: "MultiLineString", coordinates };
}

/** What a polar view shows at all: a disk. */
export function disk(view) {
  const ring = Array.from({ length: 181 }, (_, i) => [i * 2 - 180, LOWEST * view.pole]);
  return { type: "Polygon", coordinates: [ring.map(onView(view))] };
}

/** The least box of positions, with west > east where it lies over the antimeridian. */
export function box(all) {
  const latitudes = all.map(([, y]) => y);
  const around = [...new Set(all.map(([x]) => wrapped(x)))].sort((a, b) => a - b);
  // What is left out is the widest gap between two longitudes.
  let [widest, west, east] = [360 - (around.at(-1) - around[0]), around[0], around.at(-1)];
  for (let i = 1; i < around.length; i++) {
    const gap = around[i] - around[i - 1];
    if (gap > widest) [widest, west, east] = [gap, around[i], around[i - 1]];
  }
  const least = (values, pick) => values.reduce((a, b) => pick(a, b));
  return [west, least(latitudes, Math.min), east, least(latitudes, Math.max)];
}

/** The middle of positions on the globe, and how far the farthest is from it, in degrees. */
export function middle(all) {
  const vector = ([x, y]) => {
    const [a, b] = [x * RADIANS, y * RADIANS];
    return [Math.cos(b) * Math.cos(a), Math.cos(b) * Math.sin(a), Math.sin(b)];
  };
  const sum = [0, 0, 0];
  const vectors = all.map(vector);
  for (const v of vectors) v.forEach((part, i) => (sum[i] += part));
  const length = Math.hypot(...sum) || 1;
  const mean = sum.map((part) => part / length);
  const distance = (v) => Math.acos(Math.min(1, Math.max(-1, v[0] * mean[0] + v[1] * mean[1] + v[2] * mean[2])));
  return {
    center: [Math.atan2(mean[1], mean[0]) / RADIANS, Math.asin(mean[2]) / RADIANS],
    radius: vectors.reduce((most, v) => Math.max(most, distance(v)), 0) / RADIANS,
  };
}
