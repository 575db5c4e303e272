/** Views of several parts, of which one is shown at a time: the word `part` of the address says which. */

import { key } from "./api.js";
import { fill, h } from "./dom.js";
import { locked } from "./places.js";

/**
 * @typedef {Object} Part
 * @property {string} title @property {boolean} [keyed] whether only a key opens it
 * @property {Object} [words] what its link says where nothing else is chosen
 * @property {(part: {page: Object, root: HTMLElement, every: (wait: number, run: () => void) => void}) => () => Promise<void>} open
 *   fills `root` when the part is first looked at, and gives what asks for its numbers; `every` runs while it is shown, and
 *   not again before what it runs is done
 */

/**
 * A view of parts. `kept`: the words that go along from part to part.
 * @param {{title: string, parts: Object<string, Part>, defaults?: Object, kept?: string[]}} about
 */
export function sections({ title, parts, defaults = {}, kept = [] }) {
  const first = Object.keys(parts)[0];
  return { defaults: { part: first, ...defaults }, open: (page) => opened(page, { title, parts, first, kept }) };
}

function opened(page, { title, parts, first, kept }) {
  const links = Object.entries(parts).map(([name, part]) => h("a", { "data-part": name }, part.title));
  const place = h("div");
  const made = new Map();
  const shown = () => (parts[page.params.part] ? page.params.part : first);
  fill(page.root, h("h1", {}, title), h("nav", { class: "parts", "aria-label": `Parts of ${title}` }, links), place);

  function make(name) {
    const root = h("section", { id: `part-${name}`, "aria-label": parts[name].title });
    const every = (wait, run) => page.every(wait, () => (shown() === name && root.isConnected ? run() : null));
    const update = parts[name].open({ page, root, every });
    return { root, update };
  }
  return async () => {
    const name = shown();
    links.forEach((each) => point(each, page, { ...parts[each.dataset.part].words, ...chosen(page, kept) }, name));
    if (parts[name].keyed && !key()) return void fill(place, locked(parts[name].title));
    if (!made.has(name)) made.set(name, make(name));
    const { root, update } = made.get(name);
    if (place.firstChild !== root) {
      page.forget();
      fill(place, root);
    }
    return update();
  };
}

const chosen = (page, kept) => Object.fromEntries(kept.filter((word) => page.params[word]).map((word) => [word, page.params[word]]));

function point(anchor, page, words, shown) {
  const { part } = anchor.dataset;
  anchor.href = page.link(page.name, { part, ...words });
  if (part === shown) anchor.setAttribute("aria-current", "page");
  else anchor.removeAttribute("aria-current");
}
