/** Carry: what holding a position on each exchange over a period paid. */

import { route } from "../../api.js";
import { choose, numeric, toolbar } from "../../controls.js";
import { fill, h } from "../../dom.js";
import { bring, nothing } from "../../empty.js";
import { csvLink } from "../../files.js";
import { MISSING, number, percent, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";

const DAY = 86_400_000;

/** Words of the address that are about carry alone. */
export const WORDS = ["hold", "notional", "side"];

const COLUMNS = [
  { name: "exchange", head: "Exchange", text: true }, { name: "instrument", head: "Contract", text: true },
  { name: "settlements", head: "Settlements", unit: "in the period" },
  { name: "cumulative_rate", head: "Cumulative rate", unit: "% of the notional", about: "Plain sum of the settled rates", show: (row) => percent(row.cumulative_rate, 4) },
  { name: "apr", head: "APR", unit: "% a year, simple", about: "cumulative rate × 8760 ÷ hours of the period", show: (row) => percent(row.apr, 2) },
  { name: "paid_usd", head: "Paid", unit: "USD; below 0: received", about: "On the notional, by this side: below 0 it was received", show: (row) => signed(row.paid_usd) },
];

const signed = (paid) => (paid === null ? h("span", { class: "missing", title: "no notional given" }, MISSING)
  : h("span", { title: paid < 0 ? "received" : "paid" }, number(+paid.toFixed(2))));

/** The controls and the table of carry. */
export function carry(page) {
  const about = h("p", { class: "about" });
  const rows = table({ caption: "Carry", sorted: "paid_usd", columns: COLUMNS, file: "carry", key: (row) => `${row.exchange} ${row.instrument}` });
  const place = piece(page, about, rows);
  const controls = toolbar(
    numeric(page, "hold", "Held for (days)", { min: 0, placeholder: "the window", note: "Up to the end of the window; empty: all of it" }),
    numeric(page, "notional", "Notional (USD)", { min: 0 }),
    choose(page, "side", "Side", [["long", "long"], ["short", "short"]]));
  controls.setAttribute("aria-label", "The position");
  const made = h("section", { id: "carry", "aria-label": "Carry" }, h("h2", {}, "Carry"), controls, place);
  made.clear = () => { fill(about); rows.rows([], "…"); };
  made.update = async (asked) => {
    const { end } = asked.window;
    const start = page.params.hold > 0 ? Math.round(end - page.params.hold * DAY) : asked.window.start;
    const query = { ...asked.narrow, start, end, side: page.params.side, notional: page.params.notional };
    const path = route`/funding/${asked.asset}/carry`;
    await place.ask(path, query, (answer) => {
      fill(about, `${page.params.side} from ${time(start)} to ${time(end)} UTC; a ${page.params.side} ${page.params.side === "long" ? "pays" : "receives"} where the rate is above 0`,
        " · ", csvLink("CSV of the API", path, query));
      rows.rows(answer.rows, nothing(answer.meta, bring("funding", asked.asset)));
    });
  };
  return made;
}
