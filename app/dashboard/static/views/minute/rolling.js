/** Changes of one field over 1, 5 and 10 minutes, and the newest values of all fields. */

import { chart, colour } from "../../chart.js";
import { h } from "../../dom.js";
import { MISSING, age, number, time } from "../../format.js";
import { broken } from "../../gaps.js";
import { table } from "../../table.js";

const MINUTE = 60_000;
const BACK = { "1m": "dot", "5m": "solid", "10m": "dash" };

/** Chart and table: `show(answer, specs, field, span)` of `/rolling/{asset}` and the rows of its perpspecs. */
export function rolling(page) {
  const drawn = chart(page, { title: "Change", unit: "% of the value so many minutes before", file: "changes", height: 300 });
  drawn.id = "chart-rolling";
  const about = h("p", { class: "told" });
  const list = newestTable();
  list.id = "newest";
  const made = h("div", { class: "grid" }, h("div", {}, drawn, about), list);
  made.empty = (...text) => { about.textContent = ""; list.hidden = true; drawn.empty(...text); };
  made.show = ({ rows, meta }, specs, field, span) => {
    const series = grouped(rows);
    list.hidden = false;
    list.rows(newest(series, specs, meta.units, span.end));
    const shown = [...series].filter(([, own]) => own.some((row) => row[`${field}_chg_1m`] !== null || row[`${field}_chg_5m`] !== null || row[`${field}_chg_10m`] !== null));
    about.textContent = `${field} of ${shown.map(([name]) => name).join(", ") || "none of these"}. A change is missing where the minute so many before is; there the line breaks.`;
    if (!shown.length) return drawn.empty(`No changes of ${field} in this window: minutes to compare with are missing.`);
    return drawn.draw(() => shown.flatMap(([name, own], place) => lines(name, own, field, place, shown.length)),
      { yaxis: { ticksuffix: "%" }, xaxis: { range: [span.start, span.end] }, legend: { orientation: "h", y: 1.12 }, uirevision: `${field}${span.start}` });
  };
  return made;
}

/** Rows by what they are of: a perpspec and contract. */
function grouped(rows) {
  const found = new Map();
  for (const row of rows) {
    const name = `${row.perpspec} ${row.exchange} ${row.instrument}`;
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(row);
  }
  return found;
}

const lines = (name, rows, field, place, all) => Object.keys(BACK).map((back, number) => {
  const which = `${field}_chg_${back}`;
  const told = broken(rows, () => MINUTE, [which]);
  const shade = colour(`series-${(all > 1 ? place : number) % 10}`);
  return { type: "scatter", mode: "lines", name: `${all > 1 ? `${name.split(" ")[0]} ` : ""}${which}`, x: told.map(({ time: at }) => at), y: told.map((row) => row[which]), connectgaps: false, line: { color: shade, dash: BACK[back], width: 1.5 } };
});

/** Of each perpspec the newest minute: a row a field, with its changes. */
function newest(series, specs, units, end) {
  return [...series.values()].flatMap((rows) => {
    const last = rows.at(-1);
    const fields = specs.find((spec) => spec.name === last.perpspec)?.fields ?? [];
    return fields.map((field) => ({ key: [last.perpspec, last.exchange, last.instrument, field].join("."), perpspec: last.perpspec, exchange: last.exchange, field, unit: units[field] ?? "", value: last[field],
      chg_1m: last[`${field}_chg_1m`], chg_5m: last[`${field}_chg_5m`], chg_10m: last[`${field}_chg_10m`], time: last.time, age_s: (end - last.time - MINUTE) / 1000 }));
  });
}

const shown = (value) => (typeof value === "string" ? value : number(value));

/** A change in percent, or why there is none. */
export function change(value) {
  if (value === undefined) return h("span", { class: "missing", title: "There are no changes of this field" }, MISSING);
  if (value === null) return h("span", { class: "missing", title: "The minute to compare with is missing, or was zero" }, MISSING);
  if (typeof value === "string") return value;
  return h("span", { class: value > 0 ? "positive" : value < 0 ? "negative" : null }, `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(3)}%`);
}

const newestTable = () => table({
  caption: "Newest minute", file: "newest", empty: "No minutes.",
  columns: [
    { name: "field", head: "Field", text: true, show: (row) => h("span", { "data-key": row.key, title: row.unit }, row.field, h("small", {}, row.unit)) },
    { name: "value", head: "Value", show: (row) => shown(row.value) },
    ...["1m", "5m", "10m"].map((back) => ({ name: `chg_${back}`, head: back, unit: "change, %", show: (row) => change(row[`chg_${back}`]) })),
    { name: "perpspec", head: "Perpspec", text: true, show: (row) => (row.exchange && !row.perpspec.includes("-") ? `${row.perpspec} (${row.exchange})` : row.perpspec) },
    { name: "time", head: "Minute", instant: true, unit: "UTC", show: (row) => h("span", { title: `${time(row.time)}, closed ${age(row.age_s)} before the end of the window` }, time(row.time).slice(11)) },
  ],
});
