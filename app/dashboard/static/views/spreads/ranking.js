/** The ranking of pairs. */

import { fill, h, sentence } from "../../dom.js";
import { csvLink } from "../../files.js";
import { MISSING, PER, age, counted, percent, rate, time, usd } from "../../format.js";
import { table } from "../../table.js";

/** What the API ranks by, and how it is called here. */
export const RANKED = [["net_apr", "net APR"], ["spread", "spread"], ["break_even_hours", "break-even"], ["persistence", "persistence"],
  ["realised_spread", "realised"], ["capacity_usd", "capacity"], ["age_s", "age"]];

/** The fees that the words of the address ask to be taken off. */
export const charged = ({ fees, fee_rates: own }) => ({ fees, fee_rates: fees === "none" ? "" : own });

/** What is said elsewhere: why there is nothing, the fees of each exchange (under the view), and what the banner says. */
const ELSEWHERE = /^no rows|^(taker|maker) fees a trade|^this store holds generated/;

/** The legs of a row, as the address has them. */
export const legs = (row) => ({ asset: row.asset, short: `${row.short_exchange}:${row.short_instrument}`, long: `${row.long_exchange}:${row.long_instrument}` });

/** What names a row. */
export const keyOf = (row) => Object.values(legs(row)).join(" ");

const shown = (value, text, why) => (value === null ? h("span", { class: "missing", title: why }, MISSING) : text(value));
const hours = (value) => value.toFixed(value < 100 ? 1 : 0);

/** The table; `told(answer, terms, per)` says in its caption of when and on which terms it is. */
export function ranking(page, per) {
  const caption = h("span", {}, "Ranking");
  const made = table({ caption: "Ranking", columns: columns(page, per), file: "spreads", key: keyOf });
  const about = h("p", { class: "about" });
  made.prepend(about);
  made.querySelector("caption span").replaceWith(caption);
  made.told = (answer, asked) => {
    caption.textContent = `${counted(answer.rows.length, "pair")}, ${asked.at === null ? "now" : `as of ${time(asked.at)} UTC`}`;
    fill(about, answer.meta.notices.filter((notice) => !ELSEWHERE.test(notice)).map((notice) => [sentence(notice), " · "]),
      csvLink("CSV of the API", "/spreads", asked));
  };
  return made;
}

/** Mark the row whose history is shown. */
export function marked(rows, chosen) {
  for (const link of rows?.querySelectorAll("tbody a") ?? []) {
    const is = link.closest("tr").dataset.key === chosen;
    link.closest("tr").classList.toggle("chosen", is);
    if (is) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

const columns = (page, per) => [
  { name: "asset", head: "Pair", text: true, value: (row) => keyOf(row), show: (row) => opening(page, row) },
  { name: "rank", head: "Rank", about: "Place in the ranking asked for" },
  { name: "spread", head: "Spread", unit: `% per ${PER[per]}`, about: "Rate of the short leg − rate of the long leg, settled, in force then",
    show: (row) => h("span", { title: `${rate(row.short_rate, per)} − ${rate(row.long_rate, per)}` }, rate(row.spread, per)) },
  { name: "spread_apr", head: "APR", unit: "% a year, gross", show: (row) => percent(row.spread_apr, 2) },
  { name: "net_apr", head: "Net APR", unit: "% a year, net", about: "What is left when the fees are spread over the hours held; *: the fees of a leg are assumed (the fees are under the view)",
    show: (row) => h("span", { title: `fees ${percent(row.fees, 3)}${row.fees_assumed ? ", assumed" : ""}` }, percent(row.net_apr, 2), row.fees_assumed ? "*" : "") },
  { name: "break_even_hours", head: "Break-even", unit: "hours", about: "Hours until the spread has paid the fees", show: (row) => shown(row.break_even_hours, hours, "the spread is 0") },
  { name: "persistence", head: "Persistence", unit: "% of hours", about: "Share of the hours looked back in which the short leg's rate was the higher one",
    show: (row) => shown(row.persistence, (value) => h("span", { title: `of ${row.persistence_hours} hours` }, percent(value, 0)), "at no hour both had a rate") },
  { name: "realised_spread", head: "Realised", unit: "% of notional", about: "What short − long settled in the hours looked back, as far as both are known",
    show: (row) => shown(row.realised_spread, (value) => h("span", { title: `over ${row.realised_hours} hours` }, percent(value, 3)), "a leg settled nothing") },
  { name: "settlement_mismatch", head: "Settle", text: true, about: "Whether both legs settle at the same times", value: (row) => Number(row.settlement_mismatch),
    show: (row) => (row.settlement_mismatch ? "apart" : "together") },
  { name: "capacity_usd", head: "Capacity", unit: "USD", about: "A share of the smaller leg's open interest", show: (row) => shown(row.capacity_usd, usd, "open interest of a leg is not known") },
  { name: "age_s", head: "Age", unit: "older rate", show: (row) => age(row.age_s) },
];

function opening(page, row) {
  const link = h("a", { href: page.here({ ...legs(row), from: "", to: "" }), title: "Show its history below" },
    `${row.asset}: `, h("span", { class: "legs" }, `short ${leg(row, "short")}, `), h("span", { class: "legs" }, `long ${leg(row, "long")}`));
  link.dataset.pair = keyOf(row);
  return link;
}

const leg = (row, side) => (row.short_exchange === row.long_exchange ? `${row[`${side}_exchange`]} ${row[`${side}_instrument`]}` : row[`${side}_exchange`]);
