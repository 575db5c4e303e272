/** Rows of many contracts as series of one each. */

import { colour, hues, line } from "../../chart.js";

const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const FEW = 60;

/**
 * Rows by contract, in order of exchange. A series is named by its exchange, and by its contract where there are
 * several; each has a dash of its own, so that it is told by more than its colour.
 * @returns {{name: string, hue: string, dash: string, rows: Object[]}[]} `hue`: name of its colour
 */
export function seriesOf(rows) {
  const found = new Map();
  for (const row of rows) {
    const key = `${row.exchange} ${row.instrument}`;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(row);
  }
  const keys = [...found.keys()].sort();
  const several = keys.map((key) => key.split(" ")[0]).filter((name, at, all) => all.indexOf(name) !== at);
  const hue = hues(keys.map((key) => key.split(" ")[0]));
  return keys.map((key, at) => {
    const [exchange] = key.split(" ");
    return { name: several.includes(exchange) ? key : exchange, hue: hue.get(exchange), dash: DASHES[at % DASHES.length], rows: found.get(key) };
  });
}

/** The trace of a series: a value holds until the next (`hv`), or is joined to it (`linear`). */
export function traced({ name, hue, dash, rows }, field, { shape = "hv", hover, extra = () => null, ...more }) {
  return line(name, rows.map(({ time }) => time), rows.map((row) => row[field]), {
    line: { shape, dash, color: colour(hue) },
    trace: { mode: rows.length <= FEW ? "lines+markers" : "lines", marker: { size: 4 }, customdata: rows.map(extra), hovertemplate: hover, ...more },
  });
}
