/** The chain of one expiry as a board: calls on the left, strikes in the middle, puts on the right. */

import { download, fill, h } from "../../dom.js";
import { MISSING, age, counted, csv, day, percent, stamp, time } from "../../format.js";

const COINS = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const STRIKE = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });
const COLUMNS = [
  { name: "bid", head: "Bid", price: true }, { name: "ask", head: "Ask", price: true }, { name: "mark", head: "Mark", price: true },
  { name: "mark_iv", head: "IV", unit: "a year", show: (value) => percent(value, 1) },
  { name: "delta", head: "Delta", unit: "per coin", show: (value) => value.toFixed(3), greek: true },
  { name: "gamma", head: "Gamma", unit: "1/USD", show: (value) => value.toPrecision(3), greek: true, more: true },
  { name: "vega", head: "Vega", unit: "USD", show: (value) => value.toFixed(2), greek: true, more: true },
  { name: "theta", head: "Theta", unit: "USD/day", show: (value) => value.toFixed(2), greek: true, more: true },
  { name: "open_interest", head: "OI", unit: "coins", show: (value) => COINS.format(value) },
  { name: "volume", head: "Volume", unit: "coins, 24 h", show: (value) => COINS.format(value) },
];
const MODELS = { told: "as told", black76: "Black-76 of the mark IV", "told and black76": "told, the rest Black-76" };

/** The board: `show(rows, expiry, now, greeks)` of `/options/{asset}/chain` and the row of its expiry. */
export function board() {
  const made = h("section", { id: "chain", class: "chain" });
  let last = null;
  made.empty = (...text) => { last = null; fill(made, h("p", { class: "empty" }, ...text)); };
  made.show = (rows, expiry, now, greeks) => {
    const box = made.querySelector(".scroll");
    const before = last === expiry.expiry ? box?.scrollTop : null;
    const focused = box !== null && box === document.activeElement;
    last = expiry.expiry;
    fill(made, boardOf(rows, expiry, now, greeks), legend(rows, expiry));
    place(made, before);
    if (focused) made.querySelector(".scroll").focus({ preventScroll: true });
  };
  return made;
}

/** Look at the money at first; and stay where somebody looked when numbers are asked anew. */
function place(made, before) {
  const box = made.querySelector(".scroll");
  const money = made.querySelector("tr.atm");
  if (before !== null && before !== undefined) box.scrollTop = before;
  else if (money) box.scrollTop = money.offsetTop - box.clientHeight / 2;
}

function boardOf(rows, expiry, now, greeks) {
  const columns = COLUMNS.filter(({ more }) => greeks || !more);
  const unit = rows[0]?.price_unit === "coin" ? `${rows[0].quote ?? "coins"} a coin` : "USD";
  const caption = `Chain of ${day(expiry.expiry)}, ${expiry.exchange}: prices in ${unit}`;
  const money = nearest(rows, expiry.forward);
  const save = () => download(`chain-${day(expiry.expiry)}.csv`, "text/csv", csv(...figures(rows)));
  return [h("div", { class: "above" }, h("h2", {}, caption), h("small", {}, whenTold(rows, now)), h("button", { type: "button", class: "quiet", onclick: save }, "CSV")),
    h("div", { class: "scroll board", tabindex: 0, role: "region", "aria-label": caption }, h("table", {}, h("caption", { class: "unseen" }, caption),
    h("thead", {},
      h("tr", {}, h("th", { scope: "colgroup", colspan: columns.length }, "Calls"), h("th", { scope: "col", rowspan: 2, class: "strike" }, "Strike", h("small", {}, "USD")),
        h("th", { scope: "colgroup", colspan: columns.length }, "Puts")),
      h("tr", {}, columns.toReversed().map((column) => head(column, unit)), columns.map((column) => head(column, unit)))),
    h("tbody", {}, rows.map((row) => line(row, columns, row === money, now)))))];
}

const head = (column, unit) => h("th", { scope: "col" }, column.head, h("small", {}, column.price ? unit : column.unit));

function line(row, columns, isMoney, now) {
  const side = (which, order) => order.map((column, place) => cell(row, which, column, now, place === 0));
  return h("tr", { class: isMoney ? "atm" : null, "data-key": row.strike },
    side("call", columns.toReversed()),
    h("th", { scope: "row", class: "strike" }, STRIKE.format(row.strike), isMoney ? h("small", { title: "The strike nearest to the forward" }, "ATM") : null),
    side("put", columns));
}

function cell(row, which, column, now, first) {
  const told = row[which];
  const inside = isInside(row, which);
  const value = told?.[column.name] ?? null;
  return h("td", { class: inside ? "itm" : null, "data-field": `${which}.${column.name}`, title: about(told, column, value, which, now) },
    first && inside ? h("span", { class: "unseen" }, "in the money ") : null,
    value === null ? MISSING : column.price ? price(value, row) : column.show(value));
}

/** In the money: a call below, a put above the forward that values it. */
function isInside(row, which) {
  const forward = row[which]?.underlying ?? null;
  return forward !== null && (which === "call" ? row.strike < forward : row.strike > forward);
}

const price = (value, { price_unit: unit }) => (unit === "coin" ? value.toFixed(4) : value.toFixed(2));

function about(told, column, value, which, now) {
  if (!told) return `No ${which} of this strike is listed, or nothing was told of it in the day before`;
  const when = `${told.instrument}, ${told.source}, ${time(told.as_of)} UTC, ${age((now - told.as_of) / 1000)} old`;
  if (value === null) return `${column.price ? "None is offered, or none was told" : "Not told, and not to be computed"}; ${when}`;
  return `${value}${column.greek ? `, ${MODELS[told.greeks]}` : ""}; ${when}`;
}

const nearest = (rows, forward) => (forward === null ? null
  : rows.reduce((best, row) => (!best || Math.abs(row.strike - forward) < Math.abs(best.strike - forward) ? row : best), null));

const sides = (rows) => rows.flatMap((row) => [row.call, row.put]).filter(Boolean);

function whenTold(rows, now) {
  const all = sides(rows);
  if (!all.length) return "";
  const times = all.map((side) => side.as_of);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const models = [...new Set(all.map((side) => MODELS[side.greeks]).filter(Boolean))].join("; ");
  return ` told ${first === last ? time(last) : `${time(first)} to ${time(last)}`} UTC, newest ${age((now - last) / 1000)} old · greeks: ${models || "none"}`;
}

function legend(rows, expiry) {
  const forward = expiry.forward === null ? "not told" : `${STRIKE.format(expiry.forward)} USD`;
  return h("p", { class: "told" }, h("span", { class: "itm swatch" }, "shaded"), " in the money · ", h("strong", {}, "ATM"),
    ` nearest to the forward (${forward}) · ${MISSING} not told · ${counted(rows.length, "strike")}, ${expiry.days.toFixed(2)} days to expiry at ${time(expiry.expiry)} UTC`);
}

function figures(rows) {
  const names = Object.keys(sides(rows)[0] ?? {});
  const heads = ["expiry", "strike", "exchange", "quote", "price_unit", ...["call", "put"].flatMap((side) => names.map((name) => `${side}_${name}`))];
  const written = (side, name) => (name === "as_of" && side ? stamp(side.as_of) : side?.[name]);
  return [heads, rows.map((row) => [stamp(row.expiry), row.strike, row.exchange, row.quote, row.price_unit,
    ...names.map((name) => written(row.call, name)), ...names.map((name) => written(row.put, name))])];
}
