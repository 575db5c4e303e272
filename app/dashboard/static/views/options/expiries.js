/** What each expiry is: term structure and skew at one instant, and the numbers of all. */

import { chart, colour } from "../../chart.js";
import { h } from "../../dom.js";
import { MISSING, age, counted, day, number, percent, time } from "../../format.js";
import { table } from "../../table.js";

const FEW = "Too few options with a volatility around the forward or this delta";
const gap = (show) => (value) => (value === null ? h("span", { class: "missing", title: FEW }, MISSING) : show(value));
const volatility = gap((value) => percent(value, 2));
const coins = (value) => number(value === null ? null : Math.round(value * 10) / 10);
const ratio = (value) => (value === null ? MISSING : value.toFixed(3));
const TICKS = [1, 2, 7, 14, 30, 60, 90, 180, 365];

/** Term structure, skew and the table: `show(rows, now)` of `/options/{asset}/expiries`. */
export function expiries(page) {
  const term = chart(page, { title: "Term structure", unit: "IV at the money a year", file: "term-structure", height: 300 });
  const skew = chart(page, { title: "Skew and butterfly, 25 delta", unit: "points of IV: put less call; mean less at the money", file: "skew", height: 300 });
  term.id = "chart-term";
  skew.id = "chart-skew";
  const about = h("p", { class: "told" });
  const place = h("div", { id: "expiries" });
  const made = h("section", {}, h("h2", {}, "Expiries"), h("div", { class: "grid" }, term, skew), about, place);
  const listing = numbers();
  place.append(listing);
  made.empty = (...text) => { term.empty(...text); skew.empty("–"); };
  made.show = (rows, now) => {
    const without = rows.filter((row) => row.atm_iv === null).map((row) => `${day(row.expiry)} (${counted(row.options, "option")})`);
    about.textContent = `As of ${time(now)} UTC.${without.length ? ` Without a volatility at the money, having too few options: ${without.join(", ")}.` : ""} Skew above 0: protection against a fall costs more.`;
    drawn(term, rows, [["ATM IV", "atm_iv", "series-1", "circle"]]);
    drawn(skew, rows, [["skew", "skew_25d", "series-0", "circle"], ["butterfly", "butterfly_25d", "series-3", "square"]]);
    listing.rows(rows.map((row) => ({ ...row, age_s: (now - row.as_of) / 1000 })));
  };
  return made;
}

function drawn(place, rows, lines) {
  if (rows.every((row) => lines.every(([, name]) => row[name] === null))) return place.empty("No expiry has enough options for it.");
  return place.draw(() => lines.map(([name, field, shade, symbol]) => ({
    type: "scatter", mode: "lines+markers", name, x: rows.map((row) => row.days), y: rows.map((row) => row[field]), text: rows.map((row) => day(row.expiry)),
    connectgaps: false, line: { color: colour(shade), width: 1.5 }, marker: { symbol, size: 7 }, hovertemplate: "%{text}, %{x:.1f} days: %{y:.2%}",
  })), { xaxis: { type: "log", tickvals: TICKS, ticktext: TICKS.map(String), title: { text: "days to expiry" } }, yaxis: { tickformat: ".1%" }, hovermode: "closest", showlegend: lines.length > 1, legend: { orientation: "h", y: 1.15 }, uirevision: "same" });
}

const numbers = () => table({
  caption: "Expiries", file: "expiries", sorted: "expiry", empty: "No options live at this instant.",
  columns: [
    { name: "expiry", head: "Expiry", instant: true, unit: "UTC", show: (row) => h("span", { "data-key": day(row.expiry) }, time(row.expiry)) },
    { name: "days", head: "Days", show: (row) => row.days.toFixed(2) },
    { name: "options", head: "Options" },
    { name: "forward", head: "Forward", unit: "USD", show: (row) => number(row.forward) },
    { name: "atm_iv", head: "ATM IV", unit: "a year", show: (row) => volatility(row.atm_iv), about: "At the forward, linear in strike between the two strikes around it" },
    { name: "skew_25d", head: "Skew", unit: "25 delta", show: (row) => volatility(row.skew_25d), about: "IV of the 25-delta put less that of the call" },
    { name: "butterfly_25d", head: "Butterfly", unit: "25 delta", show: (row) => volatility(row.butterfly_25d), about: "Mean IV of the 25-delta put and call less ATM IV" },
    { name: "call_open_interest", head: "OI, calls", unit: "coins", show: (row) => coins(row.call_open_interest) },
    { name: "put_open_interest", head: "OI, puts", unit: "coins", show: (row) => coins(row.put_open_interest) },
    { name: "put_call_open_interest", head: "Put/call", unit: "of OI", show: (row) => ratio(row.put_call_open_interest) },
    { name: "call_volume", head: "Volume, calls", unit: "coins, 24 h", show: (row) => coins(row.call_volume) },
    { name: "put_volume", head: "Volume, puts", unit: "coins, 24 h", show: (row) => coins(row.put_volume) },
    { name: "put_call_volume", head: "Put/call", unit: "of volume", show: (row) => ratio(row.put_call_volume) },
    { name: "age_s", head: "Age", unit: "of the newest", show: (row) => h("span", { title: `${time(row.as_of)} UTC` }, age(row.age_s)) },
  ],
});
