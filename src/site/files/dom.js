// Elements. Text of Items and errors only ever becomes a text node, so that nothing of it is read as HTML.

/** An element with attributes, listeners (`onclick`…) and children, which are elements or texts. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return made;
}

export const byId = (id) => document.getElementById(id);

/** A link, where the address is one of the web; else its text, as for s3://. */
export function linked(href, text = href, attributes = {}) {
  return isWeb(href)
    ? element("a", { href, rel: "noopener noreferrer", ...attributes }, text)
    : element("span", { class: "address" }, text);
}

/** Whether an address is http or https: no other scheme may be followed from here. */
export function isWeb(href) {
  if (typeof href !== "string") return false;
  try {
    return ["http:", "https:"].includes(new URL(href).protocol);
  } catch {
    return false;
  }
}

/** A text to be copied, under a name. */
export function copyable(name, text, note) {
  const button = element("button", { type: "button", class: "small", "aria-label": `Copy ${name}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Without https the clipboard is closed: then the text is marked, and Ctrl-C takes it.
      getSelection().selectAllChildren(code);
      button.textContent = "Marked";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  const code = element("pre", { tabindex: "0", "aria-label": name }, text);
  return element("div", { class: "copyable" }, element("div", { class: "copyable-head" }, element("h3", {}, name), button), note && element("p", { class: "note" }, note), code);
}

export const number = (value) => Number(value).toLocaleString("en-US");

/** `1 row`, `2 rows`. */
export const counted = (value, one) => `${number(value)} ${one}${Number(value) === 1 ? "" : "s"}`;
