/** Open interest and put/call ratio: by expiry, and by strike of one expiry. */

import { chart, colour } from "../../chart.js";
import { h } from "../../dom.js";
import { day, time } from "../../format.js";

/** Both charts: `show(expiries, chain, chosen, now)` of `/expiries` and of `/chain`. */
export function interest(page) {
  const byExpiry = chart(page, { title: "Open interest by expiry", unit: "coins", file: "open-interest-by-expiry", height: 300 });
  const byStrike = chart(page, { title: "Open interest by strike", unit: "coins", file: "open-interest-by-strike", height: 300 });
  byExpiry.id = "chart-oi-expiry";
  byStrike.id = "chart-oi-strike";
  const about = h("p", { class: "told" });
  const made = h("section", {}, h("h2", {}, "Open interest"), h("div", { class: "grid" }, byExpiry, byStrike), about);
  made.empty = (...text) => { byStrike.empty(...text); };
  made.show = (expiries, chain, chosen, now) => {
    about.textContent = `As of ${time(now)} UTC${chosen ? `; strikes of ${day(chosen.expiry)}` : ""}. Put/call above 1: more puts than calls.`;
    byExpiry.draw(() => [...bars(expiries, (row) => day(row.expiry), (row) => row.call_open_interest, (row) => row.put_open_interest), ratios(expiries)],
      layout({ type: "category", tickangle: -45 }, { title: { text: "put ÷ call" }, rangemode: "tozero", tickformat: ".1f", tickmode: "linear", dtick: 0.5 }));
    if (!chain.length) return byStrike.empty("No chain of this expiry at this instant.");
    return byStrike.draw(() => bars(chain, (row) => row.strike, (row) => row.call?.open_interest ?? null, (row) => row.put?.open_interest ?? null),
      layout({ type: "category", tickangle: -45, nticks: 24, title: { text: "strike, USD" } }));
  };
  return made;
}

const bars = (rows, place, call, put) => [["calls", call, "series-1", ""], ["puts", put, "series-0", "/"]].map(([name, value, shade, shape]) => ({
  type: "bar", name, x: rows.map(place), y: rows.map(value), marker: { color: colour(shade), pattern: { shape, solidity: 0.3 } },
}));

const ratios = (rows) => ({
  type: "scatter", mode: "markers", name: "put ÷ call (right)", yaxis: "y2", x: rows.map((row) => day(row.expiry)), y: rows.map((row) => row.put_call_open_interest),
  marker: { symbol: "diamond", size: 8, color: colour("ink") },
});

const layout = (xaxis, yaxis2) => ({ barmode: "group", xaxis, yaxis: { rangemode: "tozero" }, legend: { orientation: "h", y: 1.15 }, ...(yaxis2 ? { yaxis2 } : {}) });
