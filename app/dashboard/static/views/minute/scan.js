/** All assets at one minute: a table with the columns of the perpspecs that are asked for. */

import { fill, h } from "../../dom.js";
import { compact, counted, number, percent, time, usd } from "../../format.js";
import { table } from "../../table.js";
import { change } from "./rolling.js";

const COLUMN = 6.6;
const WHAT = new Set(["time", "asset", "perpspec", "exchange", "instrument"]);

/** The table: `show(answer, at, q)` of `/rolling`, `filter(q)` without asking anew. */
export function scan(page) {
  const about = h("p", { class: "told", id: "scan-about" });
  const place = h("div", { id: "scan" });
  const made = h("div", {}, about, place);
  let [list, columns, rows] = [null, "", []];

  made.filter = (q) => {
    const wanted = (q ?? "").toLowerCase();
    const has = (row) => row.asset.toLowerCase().includes(wanted);
    about.textContent = wanted ? `${about.dataset.all} ${rows.filter(has).length} of them have “${q}” in their name.` : about.dataset.all;
    list?.narrow(wanted ? has : null);
  };
  made.empty = (...text) => {
    [list, columns, rows] = [null, "", []];
    about.textContent = about.dataset.all = "";
    fill(place, h("p", { class: "empty" }, ...text));
  };
  made.show = (answer, at, q) => {
    rows = answer.rows;
    const names = Object.keys(rows[0]);
    if (names.join() !== columns) {
      list = build(page, names, answer.meta.units);
      list.querySelector("table").style.width = `${names.length * COLUMN}rem`;
      fill(place, list);
      columns = names.join();
    }
    const assets = new Set(rows.map((row) => row.asset)).size;
    about.dataset.all = `The minute that began ${time(rows[0].time)} UTC, as of ${time(at)}: ${counted(rows.length, "row")} of ${counted(assets, "asset")}.`;
    list.rows(rows);
    made.filter(q);
  };
  return made;
}

const build = (page, names, units) => table({
  caption: "All assets", file: "minute", sorted: page.params.sort, empty: "No asset has these letters.", onsort: (sort) => page.set({ sort }),
  key: (row) => [row.asset, row.perpspec, row.exchange, row.instrument].join("."),
  columns: [
    { name: "asset", head: "Asset", text: true, show: (row) => h("a", { href: page.link("minute", { ...page.params, asset: row.asset, exchange: row.exchange }) }, row.asset) },
    ...names.filter((name) => !WHAT.has(name)).map((name) => ({ name, head: name, unit: units[name], text: false, show: (row) => cell(name, units[name], row[name]) })),
    { name: "perpspec", head: "Perpspec", text: true }, { name: "instrument", head: "Contract", text: true, show: (row) => `${row.exchange} ${row.instrument}` },
  ],
});

function cell(name, unit, value) {
  if (name.includes("_chg_")) return change(value);
  if (typeof value === "string") return value;
  if (unit?.startsWith("USD")) return usd(value);
  if (unit?.startsWith("fraction of one interval")) return percent(value, 4);
  return unit?.startsWith("coins") ? compact(value) : number(value);
}
