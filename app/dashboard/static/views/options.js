/** Options: what an asset's options are together, the chain of one expiry, smiles, surface, term structure and skew. */

import { Problem, get } from "../api.js";
import { choose, check, moment, pick, toolbar } from "../controls.js";
import { fill, h, sentence } from "../dom.js";
import { nothing, reason } from "../empty.js";
import { day } from "../format.js";
import { sideBySide } from "../places.js";
import { remembering } from "../remembering.js";
import { listed, several } from "../several.js";
import { instant } from "../span.js";
import { board } from "./options/board.js";
import { cards } from "./options/cards.js";
import { expiries } from "./options/expiries.js";
import { history } from "./options/history.js";
import { interest } from "./options/interest.js";
import { smile } from "./options/smile.js";
import { surface } from "./options/surface.js";

const DAY = 86_400_000;
const EVERY = 60_000;
const SPANS = { 1: "5m", 7: "1h", 30: "4h", 90: "1d" };
const advice = () => sentence("Deribit's options are collected as soon as `perpstore serve` runs with a network; your own come in by "
  + "`perpstore import options`; `perpstore demo` makes some up.");

export const view = {
  defaults: { asset: "BTC", at: "", market: "", expiry: "", greeks: "", smiles: "", x: "strike", surface: "delta", measure: "atm_iv", days: "7" },
  open(page) {
    const ask = remembering(page);
    const places = { cards: cards(), board: board(), smile: smile(page), surface: surface(page), interest: interest(page),
      expiries: expiries(page), history: history(page) };
    const controls = toolbars(page);
    const empty = h("p", { class: "empty", id: "options-empty", hidden: true });
    const shown = h("div", {}, controls.top, places.board, h("div", { class: "grid" },
      h("section", {}, controls.smile, places.smile), h("section", {}, controls.surface, places.surface)),
    places.expiries, places.interest, h("section", {}, controls.history, places.history));
    fill(page.root, h("h1", {}, "Options"), controls.whose, places.cards, empty, shown);
    offerAssets(page, controls.asset);
    page.every(EVERY, () => { if (!page.params.at) page.again(); });
    return async (changed) => {
      if (changed === null) ask.forget();
      try {
        await show({ page, ask, places, controls, empty, shown });
      } catch (error) {
        if (error.code === "unknown_asset" || error.status === 0) places.cards.hidden = shown.hidden = empty.hidden = true;
        throw error;
      }
    };
  },
};

function toolbars(page) {
  const asset = pick(page, "asset", "Asset", { offers: ["BTC", "ETH"] });
  const market = choose(page, "market", "Exchange, quoted in", [["", "largest OI"]]);
  const expiry = choose(page, "expiry", "Expiry", [["", "largest OI"]]);
  const smiles = several(page, "smiles", "Expiries", { none: "of the chain and the next" });
  const days = Object.keys(SPANS).map((each) => [each, each === "1" ? "1 day" : `${each} days`]);
  return {
    asset, market, expiry, smiles,
    whose: toolbar(asset, moment(page, "at", "As of"), market),
    top: toolbar(expiry, check(page, "greeks", "gamma, vega, theta")),
    smile: toolbar(smiles, choose(page, "x", "By", [["strike", "strike"], ["moneyness", "strike ÷ forward"], ["delta", "delta"]])),
    surface: toolbar(choose(page, "surface", "Surface by", [["delta", "delta"], ["moneyness", "strike ÷ forward"]])),
    history: toolbar(choose(page, "measure", "History of", [["atm_iv", "IV at the money"], ["skew_25d", "25-delta skew"], ["butterfly_25d", "25-delta butterfly"]]),
      choose(page, "days", "Over", days)),
  };
}

/** Ask what the words say, and show it. The market and the expiry that are meant follow from the first answers. */
async function show(open) {
  const { page, ask, controls, places } = open;
  const { asset, at } = page.params;
  const when = at && instant(at, "at");
  const [totals, living] = await Promise.all([ask("/options", { assets: asset, at: when }), ask(`/options/${encodeURIComponent(asset)}/expiries`, { at: when })]);
  if (!totals || !living) return;
  const now = totals.meta.window.at ?? totals.meta.window.end;
  const markets = marketsOf(living.rows);
  const market = markets.find(({ name }) => name === page.params.market) ?? markets[0];
  const ours = (rows) => rows.filter((row) => market && row.exchange === market.exchange && row.quote === market.quote);
  const rows = ours(living.rows);
  controls.market.offer([["", "largest OI"], ...markets.map(({ name, exchange, quote }) => [name, `${exchange}, ${quote ?? "unknown"}`])]);
  controls.expiry.offer([["", "largest OI"], ...rows.map((row) => [day(row.expiry), `${day(row.expiry)} (${row.days.toFixed(1)} d)`])]);
  controls.smiles.offer(rows.map((row) => [day(row.expiry), day(row.expiry)]));
  open.empty.hidden = rows.length > 0;
  open.shown.hidden = !rows.length;
  places.cards.hidden = false;
  if (!rows.length) fill(open.empty, nothing(living.meta, advice(), { go: (there) => page.set({ at: there }) }));
  const chosen = rows.find((row) => day(row.expiry) === page.params.expiry) ?? (page.params.expiry ? null : most(rows));
  await parts({ ...open, when, now, ours, rows, market, chosen, total: ours(totals.rows)[0] });
}

/** Offer the assets that have options, once: which they are changes seldom. */
function offerAssets(page, control) {
  const { at } = page.params;
  const offer = ({ rows }) => { if (rows.length) control.offer([...new Set(rows.map((row) => row.asset))]); };
  get("/options", { at: at || null }, { signal: page.signal }).then(offer, unoffered);
}

/** What cannot be offered can be typed; why there is nothing, the view says. */
function unoffered(error) {
  if (error instanceof Problem || error.name === "AbortError") return null;
  throw error;
}

const held = (row) => (row.call_open_interest ?? 0) + (row.put_open_interest ?? 0);
const most = (rows) => rows.reduce((best, row) => (!best || held(row) > held(best) ? row : best), null);

/** The exchanges and currencies that options trade in, those with the most open interest first. */
function marketsOf(rows) {
  const found = new Map();
  for (const row of rows) {
    const name = `${row.exchange}/${row.quote ?? ""}`;
    const before = found.get(name) ?? { name, exchange: row.exchange, quote: row.quote, held: 0 };
    found.set(name, { ...before, held: before.held + (row.call_open_interest_usd ?? 0) + (row.put_open_interest_usd ?? 0) });
  }
  return [...found.values()].sort((a, b) => b.held - a.held || a.name.localeCompare(b.name));
}

async function parts(open) {
  const { page, ask, places, ours, rows, chosen, when, now } = open;
  const { params } = page;
  const path = `/options/${encodeURIComponent(params.asset)}`;
  const surfaceBy = (by) => ask(`${path}/surface`, { at: when, by });
  const told = (answer, draw) => answer && draw(ours(answer.rows), reason(answer.meta));
  const index = (which) => ask(`/${which}/${encodeURIComponent(params.asset)}`, { at: now });
  if (!rows.length) return sideBySide([[places.cards, async () => places.cards.show(open.total, await index("index"), await index("volatility-index"), now)]]);
  const chain = async () => (chosen ? ask(`${path}/chain`, { at: when, expiry: day(chosen.expiry) }) : null);
  places.expiries.show(rows, now);
  return sideBySide([
    [places.cards, async () => {
      const [prices, volatility] = await Promise.all([index("index"), index("volatility-index")]);
      if (prices && volatility) places.cards.show(open.total, prices, volatility, now);
    }],
    [places.board, async () => {
      if (!chosen) return places.board.empty(`No option that expires on ${params.expiry} lives at this instant. Choose another expiry.`);
      return told(await chain(), (found) => places.board.show(found, chosen, now, params.greeks === "true"));
    }],
    [places.interest, async () => told(await chain() ?? { rows: [], meta: { notices: [] } }, (found) => places.interest.show(rows, found, chosen, now))],
    [places.smile, async () => told(await surfaceBy(params.x === "delta" ? "delta" : "strike"),
      (found) => places.smile.show(found, rows, smilesOf(params, rows, chosen), params.x, now))],
    [places.surface, async () => told(await surfaceBy(params.surface === "delta" ? "delta" : "strike"),
      (found) => places.surface.show(found, rows, params.surface, now))],
    [places.history, async () => {
      const step = SPANS[params.days] ?? "1h";
      const window = { start: now - (Number(params.days) || 7) * DAY, end: now + 1, interval: step, limit: 10000 };
      return told(await ask(`${path}/term-structure`, window), (found, why) => places.history.show(found, params.measure, step, window, why));
    }],
  ]);
}

/** The expiries whose smiles are drawn: those chosen, else that of the chain and the next two that are further away. */
function smilesOf(params, rows, chosen) {
  const wanted = listed(params.smiles);
  if (wanted.length) return wanted;
  const from = Math.max(0, rows.indexOf(chosen));
  return rows.slice(from, from + 3).map((row) => day(row.expiry));
}

