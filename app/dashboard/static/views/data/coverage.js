/** A calendar of what is stored: a row a series, a column a day, in each cell how much of what is expected is there. */

import { choose, moment, pick, toolbar } from "../../controls.js";
import { download, fill, h } from "../../dom.js";
import { elsewhere, reason } from "../../empty.js";
import { MISSING, csv, day, number, percent } from "../../format.js";
import { piece } from "../../places.js";
import { spanned } from "../../span.js";

const DAYS = 30;
const DAY = 86_400_000;
const DATASETS = ["candles_1m", "candles_1h", "funding", "open_interest", "predicted_funding", "long_short", "taker_volume"];
const NAMES = ["day", "exchange", "instrument", "asset", "source", "dataset", "expected", "stored", "coverage"];

const nameOf = (row) => [row.asset ?? MISSING, row.exchange, row.instrument, row.dataset, row.source].join(" · ");

export const coverage = {
  title: "Coverage",
  words: { asset: "BTC" },
  open({ page, root }) {
    const calendar = h("div");
    const place = piece(page, calendar);
    fill(root, controls(page), legend(), place);
    return () => {
      const { asset, exchange, dataset, start, end } = page.params;
      if (!asset && !exchange) return void fill(calendar, h("p", { class: "empty" }, "Choose an asset or an exchange, as ", h("a", { href: page.link("data", { part: "coverage", asset: "BTC" }) }, "BTC"), "."));
      return place.ask("/quality/coverage", { asset, exchange, dataset, start, end, limit: 10_000 }, (answer) => show(page, calendar, answer));
    };
  },
};

function controls(page) {
  return toolbar(pick(page, "asset", "Asset", { placeholder: "all", note: "one or several, by commas" }),
    pick(page, "exchange", "Exchange", { placeholder: "all", note: "one or several, by commas" }),
    choose(page, "dataset", "Dataset", [["", "all"], ...DATASETS.map((name) => [name, name])]),
    moment(page, "start", "From", { note: `UTC; empty: ${DAYS} days before the end` }), moment(page, "end", "To"));
}

const legend = () => h("p", { class: "legend" },
  h("span", { class: "day whole" }, "100"), " all rows of the day are stored, in percent of what is expected ",
  h("span", { class: "day part" }, "62"), " some are missing ", h("span", { class: "day none" }, "✕ 0"), " all are missing ",
  h("span", { class: "day" }, MISSING), " nothing is expected. What is missing of minutes is in the ledger of ",
  h("a", { href: "#/data?part=gaps" }, "gaps"), ".");

async function show(page, calendar, { rows, meta }) {
  if (rows.length) {
    fill(calendar, grid(rows, meta));
    if (!page.params.end) calendar.firstChild.scrollLeft = calendar.firstChild.scrollWidth;
    return calendar;
  }
  fill(calendar, h("div", { class: "empty" }, h("p", {}, reason(meta) ?? "Nothing is stored here.")));
  const way = await elsewhere(page, DAYS);
  calendar.firstChild.append(way ?? h("p", {}, "Have it fetched by a back-fill (", h("a", { href: "#/admin" }, "Admin"), "), or bring files: ", h("code", {}, "perpstore import")));
  return calendar;
}

/** All days of the window, also those of which there is nothing to tell. */
function daysOf(meta, rows) {
  const instant = (at) => (typeof at === "number" ? at : Date.parse(at));
  const { start, end } = meta.window ?? {};
  const from = start ? instant(start) : Math.min(...rows.map((row) => row.day));
  const to = end ? instant(end) : Math.max(...rows.map((row) => row.day)) + 1;
  const first = Math.floor(from / DAY) * DAY;
  return Array.from({ length: Math.ceil((to - first) / DAY) }, (_, place) => first + place * DAY);
}

function grid(rows, meta) {
  const days = daysOf(meta, rows);
  const series = Map.groupBy(rows, nameOf);
  const take = h("button", { type: "button", class: "quiet", onclick: () => save(rows) }, "CSV");
  const caption = `Rows stored of those expected, in percent a UTC day: ${spanned(meta)}`;
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { class: "calendar", id: "coverage" }, h("caption", {}, h("span", {}, caption), take), heads(days),
      h("tbody", {}, [...series].map(([name, told]) => line(name, told, days)))));
}

function heads(days) {
  const months = Map.groupBy(days, (at) => day(at).slice(0, 7));
  return h("thead", {}, h("tr", {}, h("th", { scope: "col", rowspan: 2, class: "words" }, "Asset · exchange · instrument · dataset · source"),
    [...months].map(([month, inside]) => h("th", { scope: "colgroup", colspan: inside.length, class: "month" }, month))),
  h("tr", {}, days.map((at) => h("th", { scope: "col", title: day(at), "aria-label": day(at) }, day(at).slice(8)))));
}

function line(name, told, days) {
  const byDay = new Map(told.map((row) => [row.day, row]));
  return h("tr", { "data-key": name }, h("th", { scope: "row" }, name), days.map((at) => cell(name, at, byDay.get(at))));
}

function cell(name, at, row) {
  if (!row) return h("td", { class: "day", title: `${day(at)}: nothing is expected of ${name}` }, MISSING);
  const kind = row.coverage >= 1 ? "whole" : row.stored === 0 ? "none" : "part";
  const title = `${day(at)} ${name}: ${number(row.stored)} of ${number(row.expected)} rows are stored, ${percent(row.coverage, 2)}`;
  // Only what is whole may read 100, and only nothing 0.
  const shown = kind === "part" ? Math.min(99, Math.max(1, Math.floor(row.coverage * 100))) : Math.round(row.coverage * 100);
  return h("td", { class: `day ${kind}`, title, "data-key": `${row.day}`, "data-value": row.coverage }, kind === "none" ? `✕ ${shown}` : shown);
}

function save(rows) {
  const cells = rows.map((row) => NAMES.map((name) => (name === "day" ? day(row.day) : row[name])));
  download("coverage.csv", "text/csv", csv(NAMES, cells));
}
