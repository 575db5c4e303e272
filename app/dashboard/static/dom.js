/** Elements. Text always comes in as text: nothing an upstream sent is ever read as markup. */

/**
 * An element.
 * @param {string} tag
 * @param {Object} props attributes; `on…` are listeners, `dataset` and `style` objects, null and false are left out
 * @param {...(Node|string|number|null|Array)} children
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "dataset" || name === "style") Object.assign(made[name], value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  put(made, children);
  return made;
}

function put(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}

/** Replace what is in an element. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  put(parent, children);
  return parent;
}

/** A sentence in which what stands between backticks is something to type. */
export const sentence = (text) => text.split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part));

/** Tell those who do not see the page. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Run once things have settled: `wait` milliseconds after the last call. */
export function settled(wait, run) {
  let timer = 0;
  return (...told) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...told), wait);
  };
}

/** Run for what was told, so many milliseconds after the first telling: however much is told meanwhile, once. */
export function paced(wait, run) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; run(); }, wait);
  };
}

/** Give a file to whoever looks at the page. */
export function download(name, media, body) {
  const url = URL.createObjectURL(new Blob([body], { type: media }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
