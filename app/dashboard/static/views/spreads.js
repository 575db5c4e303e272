/** Pairs of perpetuals of one asset: ranked by what they pay after fees, and one pair over time. */

import { choose, moment, numeric, search, toolbar } from "../controls.js";
import { fill, h, paced, say } from "../dom.js";
import { bring, nothing } from "../empty.js";
import { PER, time } from "../format.js";
import { piece } from "../places.js";
import { instant, whileLive, word } from "../span.js";
import { WORDS as PAIR, pair } from "./spreads/pair.js";
import { RANKED, charged, marked, ranking } from "./spreads/ranking.js";

const LIMIT = 300;
const LIVE = 4000;
const REFRESH = 60_000;

export const view = {
  defaults: { per: "8h", fees: "taker", horizon: "168", fee_rates: "", lookback: "168", margin: "all", sort: "net_apr", pairs: "best", window: "30d" },
  open,
};

function open(page) {
  const state = { basis: null, table: null, chosen: null, rows: null, past: h("div") };
  const place = piece(page);
  const history = pair(page);
  fill(page.root, h("h1", {}, "Spreads"), controls(page), state.past, h("section", { id: "ranking", "aria-label": "Ranking" }, place), history);
  const rank = () => ask(page, state, place);
  const again = paced(LIVE, () => { if (!page.params.at && !document.hidden) rank(); });
  const hear = whileLive(page, ["spreads"], () => !page.params.at, again);
  page.every(REFRESH, () => (page.params.at ? null : rank()));
  return async (changed) => {
    hear();
    if (changed?.every((word) => PAIR.includes(word))) return history.update(changed, () => mark(page, state));
    if (changed?.includes("sort")) state.table?.sort("");
    page.forget();
    await Promise.all([rank(), history.update(changed, () => mark(page, state))]);
    return null;
  };
}


const controls = (page) => toolbar(
  moment(page, "at", "At"),
  choose(page, "per", "Spread per", [["1h", "hour"], ["8h", "8 hours"], ["1y", "year"]]),
  choose(page, "fees", "Fees", [["taker", "taker"], ["maker", "maker"], ["none", "none"]], { note: "Of opening and closing both legs" }),
  numeric(page, "horizon", "Held for (hours)", { min: 0.01, placeholder: "168", note: "Fees are spread over these hours" }),
  yours(page),
  numeric(page, "lookback", "Look-back (hours)", { min: 1, step: 1, placeholder: "168", note: "Over which persistence and the realised spread are" }),
  numeric(page, "min_oi", "Min OI (USD)", { min: 0, note: "Open interest of the smaller leg" }),
  numeric(page, "min_spread", "Min spread (%)", { note: "In the unit of the column Spread" }),
  search(page, "assets", "Assets", { wait: 500, placeholder: "all", note: "Separated by commas" }),
  search(page, "exchanges", "Exchanges", { wait: 500, placeholder: "all", note: "Slugs, separated by commas" }),
  choose(page, "margin", "Margin", [["all", "all"], ["stable", "stablecoin"], ["coin", "coin"]]),
  choose(page, "pairs", "Of each asset", [["best", "best pair"], ["all", "every pair"]]),
  choose(page, "sort", "Rank by", RANKED));

/** Fees of one's own, where any are taken off. */
function yours(page) {
  const made = search(page, "fee_rates", "Your fees", { wait: 500, placeholder: "binance:0.0004", note: "exchange:fraction a trade, by commas; *:0.0005 for all others" });
  page.sync(() => { made.hidden = page.params.fees === "none"; });
  return made;
}

/** What the words ask of the ranking. */
export function terms({ at, per, fees, fee_rates: own, lookback, horizon, min_oi: least, min_spread: spread, assets, exchanges, margin, pairs, sort }) {
  return { at: at ? instant(at, "at") : null, per, ...charged({ fees, fee_rates: own }), horizon_hours: horizon, lookback_hours: lookback, min_oi_usd: least, assets, exchanges, pairs, sort,
    min_spread: spread ? +(spread / 100).toPrecision(12) : null, margin: margin === "all" ? null : margin, limit: LIMIT };
}

async function ask(page, state, place) {
  const { per } = page.params;
  await place.ask("/spreads", terms(page.params), (answer) => {
    if (state.basis !== per) {
      [state.basis, state.table] = [per, ranking(page, per)];
      fill(place.lastChild, state.table);
    }
    state.table.told(answer, terms(page.params), PER[per]);
    state.table.rows(answer.rows, nothing(answer.meta, bring("funding", "BTC")));
    mark(page, state);
    state.rows = answer.rows.length;
  });
  await past(page, state);
}

/** Where nothing is in force now: the way to the last time of which something is stored. */
async function past(page, state) {
  const newest = state.rows === 0 && !page.params.at ? await page.get("/funding", { limit: 10_000 }).catch(() => null) : null;
  const last = twice(newest?.rows ?? []);
  fill(state.past, last ? h("p", { class: "notice", id: "past" }, `The last rates stored of two exchanges are of ${time(last)} UTC. `,
    h("a", { href: page.here({ at: word(last).slice(0, 16) }) }, "Show the ranking as of then")) : null);
}

/** The last time up to which two contracts of an asset had settled; 0: there is none. */
function twice(rows) {
  const times = Map.groupBy(rows, ({ asset }) => asset);
  return Math.max(0, ...[...times.values()].map((each) => each.map((row) => row.time).sort((a, b) => b - a)[1] ?? 0));
}

function mark(page, state) {
  const chosen = page.params.asset && `${page.params.asset} ${page.params.short} ${page.params.long}`;
  marked(state.table, chosen);
  if (chosen && state.chosen !== chosen) say(`history of ${chosen} is shown below`);
  state.chosen = chosen;
}
