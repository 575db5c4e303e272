/** A chart with what there is to know of it: a line of notes, the API's own CSV, and its own trouble. */

import { address } from "./api.js";
import { chart } from "./chart.js";
import { fill, h } from "./dom.js";
import { tried } from "./piece.js";

/**
 * A chart in a place of its own. `load(run)` says here what goes wrong in `run`; `about(notes, calls)` writes the line
 * under the title, with a link to the CSV of each call ([text, path, query]).
 * @returns {HTMLElement & {chart: HTMLElement, load: (run: () => Promise<void>) => Promise<boolean>,
 *   about: (notes: Array, calls?: Array) => void}}
 */
export function panel({ id, ...about }) {
  const drawn = chart(about);
  drawn.id = id;
  const trouble = h("div", { role: "alert" });
  const notes = h("p", { class: "about" });
  drawn.querySelector("figcaption").after(notes);
  const made = h("div", { class: "panel" }, trouble, drawn);
  made.chart = drawn;
  made.load = async (run) => {
    const done = await tried(trouble, run);
    drawn.hidden = !done;
    return done;
  };
  made.about = (words, calls = []) => fill(notes, words, calls.map(([text, path, query]) =>
    [" · ", h("a", { href: address(path, { ...query, limit: null, format: "csv" }), download: "" }, text)]));
  return made;
}

/** The layout of charts that stand above one another on one axis of time: as wide on the left, zoomed along it alone. */
export const aligned = (range, yaxis, more = {}) => ({ margin: { l: 66, r: 12, t: 8, b: 36 }, ...more,
  legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", font: { size: 11 } },
  xaxis: { range, ...more.xaxis }, yaxis: { automargin: false, fixedrange: true, ...yaxis } });

/** Why an answer has no rows, in its own words, and what to do: shown instead of a chart or a table. */
export function nothing(answer, ...next) {
  const why = answer.meta.notices.filter((notice) => notice.startsWith("no rows")).map((notice) => notice.replace("no rows: ", "Nothing to show: "));
  return [...(why.length ? why : ["Nothing to show here"]), ". ", next];
}

/** The commands that bring data of an asset, as they are typed. */
export const bring = (dataset, asset) => [
  "To bring it: ", h("code", {}, `perpstore backfill SOURCE --days 30 --asset ${asset}`), ", or ",
  h("code", {}, `perpstore import ${dataset} FILE`), "; to look around, ", h("code", {}, "perpstore demo"), "."];
