/** A chart with what there is to know of it: a line of notes, the API's own CSV, and its own trouble. */

import { chart } from "./chart.js";
import { fill, h } from "./dom.js";
import { csvLink } from "./files.js";
import { place } from "./places.js";

/**
 * A chart in a place of its own. `load(run)` says here what goes wrong in `run`; `about(notes, calls)` writes the line
 * under the title, with a link to the CSV of each call ([text, path, query]).
 * @returns {HTMLElement & {chart: HTMLElement, load: (run: () => Promise<void>) => Promise<boolean>,
 *   about: (notes: Array, calls?: Array) => void}}
 */
export function panel(page, { id, ...about }) {
  const drawn = chart(page, about);
  drawn.id = id;
  const notes = h("p", { class: "about" });
  drawn.querySelector("figcaption").after(notes);
  const made = place(drawn);
  made.classList.add("panel");
  made.chart = drawn;
  made.about = (words, calls = []) => fill(notes, words, calls.map(([text, path, query]) =>
    [" · ", csvLink(text, path, query)]));
  return made;
}

/** The layout of charts that stand above one another on one axis of time: as wide on the left, zoomed along it alone. */
export const aligned = (range, yaxis, more = {}) => ({ margin: { l: 66, r: 12, t: 8, b: 36 }, ...more,
  legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", font: { size: 11 } },
  xaxis: { range, ...more.xaxis }, yaxis: { automargin: false, fixedrange: true, ...yaxis } });
