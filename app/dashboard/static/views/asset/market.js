/** Open interest, price, volume and liquidations over time. */

import { route } from "../../api.js";
import { colour } from "../../chart.js";
import { sentence } from "../../dom.js";
import { bring, nothing } from "../../empty.js";
import { aligned, panel } from "../../panel.js";
import { interval, stepOf } from "../../span.js";
import { seriesOf, traced } from "./series.js";

const GRID = ["5m", "15m", "1h", "4h", "1d"];
const HOURLY = ["1h", "4h", "1d"];
const MINUTES_UP_TO = 2 * 86_400_000;

/** Of candles and liquidations: minutes may not be kept as long as hours are. */
const stepped = (window) => interval(window, window.end - window.start > MINUTES_UP_TO ? HOURLY : GRID);

/** Open interest in USD, stacked. */
export function openInterest(page, onzoom) {
  const made = panel(page, { id: "chart-oi", title: "Open interest", unit: "USD, one side", file: "open-interest", onzoom });
  made.update = (asked) => made.load(async () => {
    const [path, step] = [route`/open-interest/${asked.asset}`, interval(asked.window, GRID)];
    const query = { ...asked.narrow, interval: step, ...asked.over };
    const answer = await page.all(path, query);
    made.about([`every ${step}, stacked; an exchange that tells none then is not in the stack`], [["CSV of the API", path, query]]);
    if (!answer.rows.length) return void made.chart.empty(nothing(answer.meta, bring("open-interest", asked.asset)));
    await made.chart.draw(() => seriesOf(answer.rows).map((series) => traced({ ...series, dash: "solid" }, "oi_usd",
      { shape: "linear", stackgroup: "oi", mode: "lines", hover: "$%{y:,.0f}" })),
    aligned(asked.range(), { tickprefix: "$", exponentformat: "B", rangemode: "tozero" }));
  });
  return made;
}

/**
 * Candles of the window on all exchanges; of hours where these reach further back than the minutes stored.
 * @returns {Promise<{rows: Object[], step: string, path: string, query: Object}>}
 */
export async function candles(page, asked) {
  const path = route`/candles/${asked.asset}`;
  const ask = async (step) => {
    const query = { ...asked.narrow, interval: step, ...asked.over };
    const answer = await page.all(path, query);
    return { ...answer, step, path, query };
  };
  const step = stepped(asked.window);
  const found = await ask(step);
  if (HOURLY.includes(step) || found.rows[0]?.time <= asked.window.start + stepOf("1h")) return found;
  const hours = await ask(interval(asked.window, HOURLY));
  return hours.rows.length && !(found.rows[0]?.time <= hours.rows[0].time) ? hours : found;
}

/** Price: candles of one exchange, or the close on each. */
export function price(page, onzoom) {
  const made = panel(page, { id: "chart-price", title: "Price", unit: "quote currency a coin", file: "price", onzoom });
  made.show = (asked, found, exchange) => made.load(async () => {
    const { rows, step, path, query } = found;
    if (!rows.length) return void empty(made, asked, found);
    const own = rows.filter((row) => row.exchange === exchange);
    const partial = own.filter(({ complete }) => !complete).length;
    const one = exchange !== "all";
    made.about([one ? `candles of ${step} on ${exchange}, at the time they open; hollow: up${partial ? `; ${partial} with parts missing` : ""}`
      : `close of each ${step}, at the time it opens`],
    [["CSV of the API", path, { ...query, exchanges: one ? exchange : query.exchanges }]]);
    if (one && !own.length) return void made.chart.empty(`No candles of ${exchange} in this window: choose another exchange, or all.`);
    await made.chart.draw(() => (one ? seriesOf(own).map(candlestick) : seriesOf(rows).map((series) => traced(series, "close", { shape: "linear", hover: "%{y:,.8~g}" }))),
      aligned(asked.range(), { tickformat: ",.8~g" }, { xaxis: { rangeslider: { visible: false } } }));
  });
  return made;
}

function candlestick({ name, rows }) {
  const of = (field) => rows.map((row) => row[field]);
  const side = (paint, fill) => ({ line: { color: paint, width: 1 }, fillcolor: fill });
  return { type: "candlestick", name, x: of("time"), open: of("open"), high: of("high"), low: of("low"), close: of("close"),
    text: rows.map(({ complete }) => (complete ? "" : "parts of it are missing")),
    increasing: side(`rgb(${colour("plus")})`, colour("surface")), decreasing: side(`rgb(${colour("minus")})`, `rgb(${colour("minus")})`) };
}

/** Volume, stacked by exchange, in coins or USD. */
export function volume(page, onzoom) {
  const made = panel(page, { id: "chart-volume", title: "Volume", file: "volume", height: 220, onzoom });
  made.show = (asked, found, unit) => made.load(async () => {
    const { rows, step, path, query } = found;
    const field = unit === "usd" ? "volume_usd" : "volume_base";
    const known = rows.filter((row) => row[field] !== null);
    const left = rows.length - known.length;
    made.about([`${unit === "usd" ? "USD" : "coins"} each ${step}, stacked${known.length && left ? `; ${left} of ${rows.length} candles do not tell it` : ""}`],
      [["CSV of the API", path, query]]);
    if (!rows.length) return void empty(made, asked, found);
    if (!known.length) return void made.chart.empty(`No exchange tells its volume in ${unit === "usd" ? "USD" : "coins"} here: choose the other unit.`);
    await made.chart.draw(() => seriesOf(known).map((series) => bars(series, field, step, { hovertemplate: unit === "usd" ? "$%{y:,.0f}" : "%{y:,.6~g}" })),
      aligned(asked.range(), { tickprefix: unit === "usd" ? "$" : "", exponentformat: "B" }, { barmode: "stack", bargap: 0 }));
  });
  return made;
}

const empty = (made, asked, found) => made.chart.empty(nothing(found.meta, bring("candles", asked.asset)));

function bars({ name, hue, rows }, field, step, more) {
  return { type: "bar", name, x: rows.map(({ time }) => time), y: rows.map((row) => row[field]), offset: 0, width: stepOf(step),
    marker: { color: colour(hue), line: { width: 0 } }, ...more };
}

/** Liquidations: longs upwards, shorts downwards, each stacked by exchange, on one scale. */
export function liquidations(page, onzoom) {
  const made = panel(page, { id: "chart-liquidations", title: "Liquidations", unit: "USD", file: "liquidations", height: 260, onzoom });
  made.update = (asked) => made.load(async () => {
    const [path, step] = [route`/liquidations/${asked.asset}`, stepped(asked.window)];
    const query = { ...asked.narrow, interval: step, ...asked.over };
    const answer = await page.all(path, query);
    const bound = answer.meta.notices.filter((notice) => notice.includes("lower bound"));
    made.about([`sums of each ${step}; upwards: longs closed, downwards (hatched): shorts closed`, bound.map((notice) => [". ", sentence(notice)])], [["CSV of the API", path, query]]);
    if (!answer.rows.length) return void made.chart.empty(nothing(answer.meta, ["Liquidations are heard from the exchanges' streams while the server runs. ", bring("liquidations", asked.asset)]));
    const most = Math.max(...["long", "short"].map((side) => highest(answer.rows.filter((row) => row.side === side)))) * 1.05;
    const scale = { tickprefix: "$", exponentformat: "B", nticks: 4 };
    await made.chart.draw(() => ["long", "short"].flatMap((side) => mirrored(answer.rows, side, step)),
      aligned(asked.range(), { domain: [0.5, 1], range: [0, most], ...scale }, { barmode: "stack", bargap: 0, xaxis: { anchor: "y2" },
        yaxis2: { overlaying: false, side: "left", showgrid: true, automargin: false, fixedrange: true, domain: [0, 0.5], range: [most, 0], ...scale } }));
  });
  return made;
}

function mirrored(rows, side, step) {
  return seriesOf(rows.filter((row) => row.side === side)).map((series) => {
    const drawn = bars(series, "usd", step, { hovertemplate: "$%{y:,.0f}", yaxis: side === "long" ? "y" : "y2" });
    return { ...drawn, name: `${series.name} ${side}s`, marker: { ...drawn.marker, pattern: { shape: side === "long" ? "" : "/" } } };
  });
}

/** The highest stack. */
function highest(rows) {
  const sums = new Map();
  for (const { time, usd } of rows) sums.set(time, (sums.get(time) ?? 0) + usd);
  return Math.max(0, ...sums.values());
}
