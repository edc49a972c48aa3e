// The switch between the views of the map.

import { element } from "./dom.js";
import { VIEWS } from "./geography.js";

/** Radio buttons, of which the arrow keys choose; `container.select` shows another one. */
export function switcher(container, chosen, change) {
  const inputs = Object.entries(VIEWS).map(([key, { name }]) => {
    const input = element("input", { type: "radio", name: "view", value: key, onchange: () => change(key) });
    input.checked = key === chosen;
    return [input, element("label", {}, input, element("span", {}, name))];
  });
  container.replaceChildren(...inputs.map(([, label]) => label));
  container.select = (key) => inputs.forEach(([input]) => (input.checked = input.value === key));
}
