/** Candles of one exchange, with the wicks that are long enough marked and listed. */

import { chart, colour } from "../../chart.js";
import { h } from "../../dom.js";
import { age, counted, number, time } from "../../format.js";
import { table } from "../../table.js";

const STEPS = { "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000 };
const SIDES = { upper: { symbol: "triangle-down", shade: "series-0", price: "high" }, lower: { symbol: "triangle-up", shade: "series-1", price: "low" } };

/** Chart and table: `show(bars, wicks, about)` of `/candles/{asset}` and `/wicks/{asset}`. */
export function candles(page) {
  const drawn = chart(page, { title: "Candles and wicks", unit: "quote currency a coin", file: "candles", height: 380 });
  drawn.id = "chart-candles";
  const about = h("p", { class: "told" });
  const list = table({ caption: "Wicks", file: "wicks", sorted: "-time", empty: "No wick in this window is so long. Lower the percentage.", columns: [
    { name: "time", head: "Opened", instant: true, unit: "UTC", show: (row) => h("span", { "data-key": `${row.time}.${row.side}` }, time(row.time)) },
    { name: "side", head: "Side", text: true, show: (row) => (row.side === "upper" ? "▾ upper" : "▴ lower") },
    { name: "wick_pct", head: "Wick", unit: "%", show: (row) => row.wick_pct.toFixed(3), about: "Upper: of the higher of open and close; lower: of the lower" },
    ...["open", "high", "low", "close"].map((name) => ({ name, head: name[0].toUpperCase() + name.slice(1), show: (row) => number(row[name]) })),
    { name: "complete", head: "Complete", text: true, show: (row) => (row.complete ? "yes" : "no"), about: "Whether every minute of the candle is known" },
  ] });
  list.id = "wicks";
  const made = h("div", {}, drawn, about, list);
  made.empty = (...text) => { about.textContent = ""; list.hidden = true; drawn.empty(...text); };
  made.show = (bars, wicks, told) => {
    list.hidden = false;
    about.textContent = said(bars, wicks, told);
    list.rows(wicks);
    drawn.draw(() => traces(bars, wicks), { xaxis: { rangeslider: { visible: false }, range: [told.start - STEPS[told.interval] / 2, told.end] }, hovermode: "closest", legend: { orientation: "h", y: 1.12 },
      uirevision: `${told.asset}${told.exchange}${told.start}` });
  };
  return made;
}

function said(bars, wicks, { start, end, behind, interval, exchange, asset, minimum }) {
  const all = Math.floor((end - start) / STEPS[interval]);
  const partly = bars.filter((bar) => !bar.complete).length;
  const instruments = [...new Set(bars.map((bar) => bar.instrument))].join(", ");
  const old = behind ? `The newest minute that is stored closed ${age(behind / 1000)} ago; the window ends there. ` : "";
  return `${old}${asset} on ${exchange} (${instruments}), ${interval}, ${time(start)} to ${time(end)} UTC: ${counted(bars.length, "candle")} of ${counted(all, "interval")}; where one is missing there is a gap.`
    + `${partly ? ` ${counted(partly, "candle")} without some of the minutes.` : ""} Hollow rose, filled fell. ${counted(wicks.length, "wick")} of ${minimum}% or more.`;
}

/** A trace an instrument, and one for the wicks of each side. */
function traces(bars, wicks) {
  const instruments = [...new Set(bars.map((bar) => bar.instrument))];
  return [...instruments.map((instrument) => stick(instrument, bars.filter((bar) => bar.instrument === instrument))),
    ...Object.keys(SIDES).map((side) => marks(side, wicks.filter((wick) => wick.side === side))).filter(({ x }) => x.length)];
}

const stick = (name, bars) => ({
  type: "candlestick", name, x: bars.map((bar) => bar.time), open: bars.map((bar) => bar.open), high: bars.map((bar) => bar.high), low: bars.map((bar) => bar.low), close: bars.map((bar) => bar.close),
  increasing: { line: { color: colour("good"), width: 1 }, fillcolor: colour("surface") }, decreasing: { line: { color: colour("bad"), width: 1 }, fillcolor: colour("bad") },
});

const marks = (side, wicks) => ({
  type: "scatter", mode: "markers", name: `${side} wicks`, x: wicks.map((wick) => wick.time), y: wicks.map((wick) => wick[SIDES[side].price]), text: wicks.map((wick) => `${wick.wick_pct.toFixed(3)}%`),
  hovertemplate: "%{x|%H:%M}, %{y}: %{text}<extra></extra>", marker: { symbol: SIDES[side].symbol, size: 10, color: colour(SIDES[side].shade), line: { width: 1, color: colour("ink") } },
});
