/** Funding over time: what each exchange paid, the weighted mean over it, and what was predicted. */

import { route } from "../../api.js";
import { colour, line } from "../../chart.js";
import { bring, nothing } from "../../empty.js";
import { PER } from "../../format.js";
import { broken } from "../../gaps.js";
import { aligned, panel } from "../../panel.js";
import { interval, stepOf } from "../../span.js";
import { seriesOf, traced } from "./series.js";

const SETTLEMENTS_UP_TO = 1000 * 3_600_000;
const PREDICTIONS_UP_TO = 7 * 24 * 3_600_000;
const SAMPLES = 5000;

const axis = (per) => ({ tickformat: per === "1y" ? ",.1~%" : ".4~%" });

/** Settled rates of each exchange, as steps, and the mean weighted by open interest. */
export function settled(page, onzoom) {
  const made = panel(page, { id: "chart-funding", title: "Funding", unit: "settled; positive: longs pay shorts", file: "funding", height: 340, onzoom });
  made.update = (asked) => made.load(async () => {
    const { asset, per, window } = asked;
    const bucket = window.end - window.start > SETTLEMENTS_UP_TO && per !== "native" ? interval(window, ["8h", "1d"]) : null;
    const rates = { path: route`/funding/${asset}`, query: { ...asked.narrow, per, interval: bucket, ...asked.over } };
    const grid = interval(window, ["5m", "15m", "1h", "4h", "1d"]);
    const mean = { path: route`/funding/${asset}`, query: { ...asked.narrow, per, weighted: "oi", interval: grid, ...asked.over } };
    const [each, all] = await Promise.all([page.all(rates.path, rates.query), per === "native" ? null : page.get(mean.path, mean.query)]);
    made.about([`per ${PER[per]}; `, bucket ? `the mean of each ${bucket}, ` : "each settlement, held until the next, ",
      all ? `the mean weighted by open interest as it stood every ${grid}` : "no mean of rates that are of different intervals"],
    [["CSV of the API", rates.path, rates.query], ...(all ? [["CSV of the mean", mean.path, mean.query]] : [])]);
    if (!each.rows.length) return void made.chart.empty(nothing(each.meta, bring("funding", asset)));
    await made.chart.draw(() => [...steps(each.rows, bucket), ...(all ? [weighted(all.rows)] : [])],
      aligned(asked.range(), axis(per)));
  });
  return made;
}

/** Milliseconds for which a rate is in force: one and a half of its intervals. */
const inForce = (row) => 1.5 * row.interval_hours * 3_600_000;

function steps(rows, bucket) {
  const hours = bucket && stepOf(bucket) / 3_600_000;
  const hover = bucket ? `%{y:.5~%}, mean of %{customdata} settlements in ${bucket}` : "%{y:.5~%}, paid every %{customdata} h";
  return seriesOf(rows).map((series) => traced(
    { ...series, rows: broken(bucket ? series.rows.map((row) => ({ ...row, interval_hours: Math.max(hours, row.interval_hours / row.settlements) })) : series.rows, inForce, ["rate"]) },
    "rate", { hover, extra: (row) => (bucket ? row.settlements : row.interval_hours) }));
}

function weighted(rows) {
  return line("OI-weighted", rows.map(({ time }) => time), rows.map(({ rate }) => rate), {
    line: { shape: "hv", color: colour("ink"), width: 3 },
    trace: { customdata: rows.map(({ instruments, coverage }) => [instruments, coverage]),
      hovertemplate: "%{y:.5~%} of %{customdata[0]} contracts, %{customdata[1]:.0%} of the weight" },
  });
}

/** What was predicted of the settlements to come. */
export function predicted(page, onzoom) {
  const made = panel(page, { id: "chart-predicted", title: "Predicted funding", unit: "of the next settlement, as sampled", file: "predicted", height: 260, onzoom });
  made.update = (asked) => made.load(async () => {
    const { asset, per, window } = asked;
    const start = Math.max(window.start, window.end - PREDICTIONS_UP_TO);
    const query = { ...asked.narrow, per, kind: "predicted", order: "desc", ...asked.over, start, limit: SAMPLES };
    const answer = await page.get(route`/funding/${asset}`, query);
    const part = answer.page?.next_cursor ? `; the newest ${SAMPLES} samples` : start > window.start ? "; the last 7 days of the window" : "";
    made.about([`per ${PER[per]}${part}`], [["CSV of the API", route`/funding/${asset}`, query]]);
    if (!answer.rows.length) return void made.chart.empty(nothing(answer.meta, "Predictions are sampled while the server runs; they cannot be fetched afterwards."));
    const rows = answer.rows.toReversed();
    await made.chart.draw(() => seriesOf(rows).map((series) => traced(series, "rate", { hover: "%{y:.5~%} of %{customdata} h", extra: (row) => row.interval_hours })),
      aligned(asked.range(), axis(per)));
  });
  return made;
}
