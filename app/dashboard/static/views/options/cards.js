/** What is known of all options of an asset together. */

import { fill, h } from "../../dom.js";
import { MISSING, age, counted, number, percent, time, usd } from "../../format.js";

const PRICE = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** The row of cards: `show(total, prices, volatility, now)`, of `/options`, `/index` and `/volatility-index`. */
export function cards() {
  const made = h("dl", { class: "cards", id: "options-cards" });
  made.empty = (...text) => fill(made, h("div", { class: "card" }, h("dt", {}, "Together"), h("dd", {}, ...text)));
  made.show = (total, prices, volatility, now) => fill(made,
    indexCard(total, prices, now), volatilityCard(volatility, now),
    card("open_interest", "Open interest", total && [number(round(total.open_interest)), h("small", {}, `coins, ${usd(total.open_interest_usd)}`)],
      total && told(total.as_of, now, total.exchange), "Nothing was told of any option in the day before"),
    card("put_call_open_interest", "Put/call, open interest", ratio(total?.put_call_open_interest),
      total && `puts ${number(round(total.put_open_interest))}, calls ${number(round(total.call_open_interest))} coins`, "No open interest is known"),
    card("put_call_volume", "Put/call, volume of 24 h", ratio(total?.put_call_volume),
      total && `puts ${number(round(total.put_volume))}, calls ${number(round(total.call_volume))} coins`, "No volume is known"),
    card("options", "Options", total && number(total.options), total && `of ${counted(total.expiries, "expiry", "expiries")}, quoted in ${total.quote ?? "an unknown currency"}`, "None lives at this instant"));
  return made;
}

function indexCard(total, prices, now) {
  const row = prices.rows[0];
  if (row) return card("index_price", "Index price", `$${PRICE.format(row.price)}`, told(row.time, now, `${row.exchange} ${row.instrument}`));
  const known = total?.index_price;
  return card("index_price", "Index price", known ? `$${PRICE.format(known)}` : null,
    known ? told(total.as_of, now, "as told with the options") : null, "No price index is stored at this instant");
}

function volatilityCard({ rows }, now) {
  const row = rows[0];
  return card("volatility_index", "Volatility index (DVOL)", row && [percent(row.price, 2), h("small", {}, "a year")],
    row && told(row.time, now, `${row.exchange} ${row.instrument}`), "No volatility index is stored at this instant");
}

const told = (at, now, who) => `${who}, ${time(at)}, ${age((now - at) / 1000)} old`;
const ratio = (value) => (value === null || value === undefined ? null : value.toFixed(3));
const round = (value) => (value === null || value === undefined ? value : Math.round(value * 10) / 10);

function card(key, title, value, small, why = null) {
  const missing = value === null || value === undefined;
  return h("div", { class: "card", "data-key": key }, h("dt", {}, title),
    h("dd", { class: missing ? "missing" : null, title: missing ? why : null }, missing ? MISSING : value),
    h("dd", { class: "about" }, missing ? why : small));
}
