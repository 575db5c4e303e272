/** How an asset stands at the end of the window: a few figures, and its exchanges one by one. */

import { fill, h } from "../../dom.js";
import { MISSING, PER, age, countdown, number, rate, time, usd } from "../../format.js";
import { table } from "../../table.js";

const names = (list) => [...new Set(list)].join(", ");
const missing = (why) => h("span", { class: "missing", title: why }, MISSING);
const shown = (value, text, why) => (value === null || value === undefined ? missing(why) : text(value));

function card(id, title) {
  const [value, about] = [h("dd", { id }), h("dd", { class: "about" })];
  const made = h("div", { class: "card" }, h("dt", {}, title), value, about);
  made.tell = (what, ...more) => { fill(value, what); fill(about, more); };
  return made;
}

/**
 * Cards of the rate, the open interest, the price and the next settlement.
 * `rate(row, asked)`, `interest(row, asked)`, `price(candle, step)` and `next(rows, asked)` tell them, `clear()` none.
 */
export function cards() {
  const all = { rate: card("card-rate", "OI-weighted funding"), interest: card("card-oi", "Open interest"),
    price: card("card-price", "Price"), next: card("card-next", "Next settlement") };
  const made = h("dl", { class: "cards" }, Object.values(all));
  let due = null;
  made.clear = () => Object.values(all).forEach((each) => each.tell("…"));
  made.rate = (row, asked) => all.rate.tell(
    shown(row?.rate, (value) => rate(value, asked.per), "no rate in force with open interest known"),
    row?.rate === null || !row ? "no rate in force whose open interest is known" : `per ${PER[asked.per]}, of ${names(row.present)}`,
    row?.stale.length ? h("span", { class: "beside" }, `no open interest of ${names(row.stale)}`) : null);
  made.per = () => all.rate.tell(missing("no mean of rates that are of different intervals"), "choose a rate per hour, 8 hours or year");
  made.interest = (row) => all.interest.tell(shown(row?.oi_usd, usd, "no open interest of the last 2 hours"),
    row?.present.length ? `USD, one side; of ${names(row.present)}` : "none known of the last 2 hours",
    row?.missing.length ? h("span", { class: "beside" }, `nothing new of ${names(row.missing)}`) : null);
  made.price = (candle, step) => all.price.tell(shown(candle?.close, number, "no candle in the window"),
    candle ? `last close of ${candle.exchange}; the ${step} from ${time(candle.time)}` : "no candle in the window");
  made.next = (rows, asked) => {
    const coming = rows.filter(({ next_time: next }) => next !== null && next > asked.window.end);
    due = coming.length ? Math.min(...coming.map((row) => row.next_time)) : null;
    const who = [...new Set(coming.filter((row) => row.next_time === due).map((row) => row.exchange))];
    made.live = asked.window.live;
    all.next.tell(due === null ? missing("no settlement is known to come") : made.live ? countdown(due) : time(due),
      due === null ? "none known to come" : `${made.live ? `${time(due)}, ` : ""}${who.join(", ")}`);
  };
  made.tick = () => { if (due !== null && made.live) document.getElementById("card-next")?.replaceChildren(countdown(due)); };
  return made;
}

/** How old a rate is; after 1.5 of its intervals it is no longer in force. */
const aged = (row) => (row.age_s > 1.5 * row.interval_hours * 3600
  ? h("span", { class: "stale", title: "older than 1.5 intervals: no longer in force" }, `${age(row.age_s)}, lapsed`) : age(row.age_s));

/** The newest rate of each exchange, or what was in force at the end of the window. */
export function standing() {
  let basis = null;
  const build = (per) => table({
    caption: "By exchange", sorted: "-oi_usd", file: "by-exchange", key: (row) => `${row.exchange} ${row.instrument}`,
    empty: "No rate in force then.",
    columns: [
      { name: "exchange", head: "Exchange", text: true }, { name: "instrument", head: "Contract", text: true },
      { name: "rate", head: "Rate", unit: `per ${PER[per]}`, about: "Settled; positive: longs pay shorts", show: (row) => rate(row.rate, per) },
      { name: "interval_hours", head: "Interval", unit: "hours" },
      { name: "time", head: "Settled", instant: true, unit: "UTC", show: (row) => time(row.time) },
      { name: "next_time", head: "Next", instant: true, unit: "UTC", show: (row) => shown(row.next_time, time, "not known") },
      { name: "predicted_rate", head: "Predicted", unit: `per ${PER[per]}`, show: (row) => shown(row.predicted_rate, (value) => rate(value, per), "no estimate is stored") },
      { name: "oi_usd", head: "Open interest", unit: "USD, one side", show: (row) => shown(row.oi_usd, usd, "none known within two hours of the rate") },
      { name: "source", head: "Source", text: true },
      { name: "age_s", head: "Age", about: "Since the settlement", show: aged },
    ],
  });
  let rows = null;
  const made = h("section", { id: "standing", "aria-label": "By exchange" });
  made.show = (answer, asked) => {
    if (basis !== asked.per) {
      [basis, rows] = [asked.per, build(asked.per)];
      fill(made, rows);
    }
    rows.querySelector("caption span").textContent = `By exchange, ${asked.window.live ? "newest" : `in force at ${time(asked.window.end)} UTC`}`;
    rows.rows(answer.rows, asked.window.live ? "No rate of this asset is stored." : "No rate was in force then.");
  };
  return made;
}
