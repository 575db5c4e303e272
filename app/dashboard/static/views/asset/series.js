/** Rows of many contracts as series of one each. */

import { colourOf, line } from "../../chart.js";

const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const HOUR = 3_600_000;
const FEW = 60;

/**
 * Rows by contract, in order of exchange. A series is named by its exchange, and by its contract where there are
 * several; each has a dash of its own, so that it is told by more than its colour.
 * @returns {{name: string, exchange: string, dash: string, rows: Object[]}[]}
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
  return keys.map((key, at) => {
    const [exchange] = key.split(" ");
    return { name: several.includes(exchange) ? key : exchange, exchange, dash: DASHES[at % DASHES.length], rows: found.get(key) };
  });
}

/** The trace of a series: a value holds until the next (`hv`), or is joined to it (`linear`). */
export function traced({ name, exchange, dash, rows }, field, { shape = "hv", hover, extra = () => null, ...more }) {
  return line(name, rows.map(({ time }) => time), rows.map((row) => row[field]), {
    line: { shape, dash, color: colourOf(exchange) },
    trace: { mode: rows.length <= FEW ? "lines+markers" : "lines", marker: { size: 4 }, customdata: rows.map(extra), hovertemplate: hover, ...more },
  });
}

/** Rows of a grid of `step` milliseconds, with an empty one wherever the next instant has none. */
export const gapped = (rows, step, fields) => rows.flatMap((row, at) => (rows[at + 1]?.time > row.time + step
  ? [row, { ...row, time: row.time + step, ...Object.fromEntries(fields.map((field) => [field, null])) }] : [row]));

/** Rows with an empty one wherever a rate ceased to be in force (1.5 intervals) before the next: there the line breaks. */
export function broken(rows, field) {
  return rows.flatMap((row, at) => {
    const ceased = row.time + 1.5 * row.interval_hours * HOUR;
    return rows[at + 1]?.time > ceased ? [row, { ...row, time: ceased, [field]: null }] : [row];
  });
}
