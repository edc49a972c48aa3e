// The timeline: a bar for each year. A click takes a year, a drag or Shift with an arrow key takes several.

import { counted, element } from "./dom.js";

/** Years between the first and the last that are shown where nothing lies in them. */
const MOST_YEARS = 120;

export class Timeline {
  /** `chosen` is called with `[first, last]`, or null for all years. */
  constructor(container, chosen) {
    this.container = container;
    this.chosen = chosen;
    this.range = null;
    this.years = [];
    this.bars = [];
    this.row = element("div", { class: "bars", role: "group", "aria-label": "Years" });
    this.label = element("span", { class: "timeline-label", "aria-live": "polite" });
    this.all = element("button", { type: "button", class: "small", hidden: true, onclick: () => this.choose(null) }, "All years");
    this.axis = element("div", { class: "axis", "aria-hidden": "true" });
    container.replaceChildren(element("div", { class: "timeline-head" }, this.label, this.all), this.row, this.axis);
    this.row.addEventListener("keydown", (event) => this.key(event));
    this.row.addEventListener("pointerdown", (event) => this.press(event));
  }

  /** Numbers by year, `[[year, number], …]`; `unit` is what is counted. */
  set(numbers, unit) {
    this.unit = unit;
    const known = new Map(numbers.filter(([year]) => year !== null));
    const found = [...known.keys()].sort((a, b) => a - b);
    const [first, last] = [found[0], found.at(-1)];
    const isShort = found.length && last - first < MOST_YEARS;
    this.years = isShort ? Array.from({ length: last - first + 1 }, (_, i) => first + i) : found;
    this.numbers = known;
    this.container.hidden = !found.length;
    const most = Math.max(1, ...known.values());
    this.bars = this.years.map((year, i) => {
      const value = known.get(year) ?? 0;
      // A square root, so that a year with few is seen beside one with many.
      const bar = element("span", { class: "bar" });
      bar.style.height = `${value ? Math.max(4, 100 * Math.sqrt(value / most)) : 0}%`;
      const title = `${year}: ${counted(value, unit)}`;
      return element("button", { type: "button", class: "year", tabindex: i === 0 ? "0" : "-1", "aria-label": title, title, "aria-pressed": "false" }, bar);
    });
    this.row.replaceChildren(...this.bars);
    this.axis.replaceChildren(...[this.years[0], this.years.at(-1)].filter((year, i, both) => both.indexOf(year) === i && year !== undefined).map(String).map((year) => element("span", {}, year)));
    this.paint();
  }

  /** Shows a range without a call. */
  show(range) {
    this.range = range;
    this.paint();
  }

  choose(range) {
    this.show(range);
    this.chosen(range);
  }

  paint() {
    const isIn = (year) => this.range && year >= this.range[0] && year <= this.range[1];
    let total = 0;
    this.years.forEach((year, i) => {
      const inside = Boolean(isIn(year));
      if (inside || !this.range) total += this.numbers.get(year) ?? 0;
      this.bars[i].setAttribute("aria-pressed", String(inside));
      this.bars[i].classList.toggle("is-out", Boolean(this.range) && !inside);
    });
    const named = ([first, last]) => (first === last ? `${first}` : `${first} to ${last}`);
    const [first, last] = [this.years[0], this.years.at(-1)];
    const span = this.range ? [Math.max(this.range[0], first), Math.min(this.range[1], last)] : [first, last];
    this.label.textContent = this.years.length ? `${named(span)}: ${counted(total, this.unit)}` : "";
    this.all.hidden = !this.range;
  }

  indexAt(event) {
    const { left, width } = this.row.getBoundingClientRect();
    const part = (event.clientX - left) / width;
    return Math.min(this.years.length - 1, Math.max(0, Math.floor(part * this.years.length)));
  }

  press(event) {
    if (event.button) return;
    const from = this.indexAt(event);
    const range = (to) => [this.years[Math.min(from, to)], this.years[Math.max(from, to)]];
    const before = this.range;
    this.row.setPointerCapture(event.pointerId);
    this.focus(from);
    this.show(range(from));
    const move = (moved) => this.show(range(this.indexAt(moved)));
    const end = (ended) => {
      this.row.removeEventListener("pointermove", move);
      this.row.removeEventListener("pointerup", end);
      this.row.removeEventListener("pointercancel", end);
      const chosen = range(this.indexAt(ended));
      // The same year again takes it back.
      const isSame = before && String(before) === String(chosen);
      this.choose(ended.type === "pointercancel" ? before : isSame ? null : chosen);
    };
    this.row.addEventListener("pointermove", move);
    this.row.addEventListener("pointerup", end);
    this.row.addEventListener("pointercancel", end);
  }

  focus(index) {
    this.bars.forEach((bar, i) => bar.setAttribute("tabindex", i === index ? "0" : "-1"));
    this.bars[index]?.focus({ preventScroll: true });
  }

  key(event) {
    const at = this.bars.indexOf(document.activeElement);
    if (at < 0) return;
    const year = this.years[at];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const isSame = this.range && this.range[0] === year && this.range[1] === year;
      this.choose(isSame ? null : [year, year]);
      return;
    }
    if (event.key === "Escape") return this.choose(null);
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.bars.length - 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const to = Math.min(this.bars.length - 1, Math.max(0, steps[event.key]));
    if (event.shiftKey) {
      this.from ??= at;
      this.choose([this.years[Math.min(this.from, to)], this.years[Math.max(this.from, to)]]);
    } else {
      this.from = undefined;
    }
    this.focus(to);
  }
}
