/** One asset: funding on every exchange, open interest, price, volume and liquidations over time, and what carry paid. */

import { route } from "../api.js";
import { choose, pick, search, toolbar } from "../controls.js";
import { fill, h, paced } from "../dom.js";
import { time } from "../format.js";
import { tried } from "../places.js";
import { span, spanControls, stepOf, whileLive, word, zoomed } from "../span.js";
import { WORDS as CARRY, carry } from "./asset/carry.js";
import { cards, standing } from "./asset/cards.js";
import { predicted, settled } from "./asset/funding.js";
import { candles, liquidations, openInterest, price, volume } from "./asset/market.js";

const LIMIT = 10_000;
const REFRESH = 60_000;
const LIVE = 15_000;
const SHOWN = ["price", "volume"];
const ZOOM = ["from", "to"];

export const view = {
  defaults: { asset: "BTC", window: "7d", per: "8h", margin: "all", price: "", volume: "coins", side: "long", notional: "10000" },
  open,
};

function open(page) {
  const zoom = (from, to) => page.set({ from: from === null ? "" : word(from), to: to === null ? "" : word(to) });
  const parts = {
    head: h("h1", {}, "Asset"), trouble: alert(), past: h("div"), untopped: alert(), unpriced: alert(), cards: cards(), standing: standing(), carry: carry(page),
    funding: settled(page, zoom), predicted: predicted(page, zoom), interest: openInterest(page, zoom), price: price(page, zoom), volume: volume(page, zoom),
    liquidations: liquidations(page, zoom),
  };
  const charts = [parts.funding, parts.interest, parts.price, parts.volume, parts.liquidations, parts.predicted];
  const asset = pick(page, "asset", "Asset");
  const exchange = choose(page, "price", "Price of", [["", "most open interest"], ["all", "all exchanges"]]);
  const closer = h("p", { class: "closer", id: "closer", hidden: true },
    h("button", { type: "button", class: "quiet", onclick: () => page.set({ start: page.params.from, end: page.params.to, from: "", to: "" }) }, "Ask for this part alone"),
    " ", h("button", { type: "button", class: "quiet", onclick: () => page.set({ from: "", to: "" }) }, "Show all"),
    " Drag over a chart to zoom all of them; double-click shows all.");
  const body = h("div", {}, parts.past, parts.untopped, parts.unpriced, parts.cards, parts.standing, closer, charts, parts.carry);
  fill(page.root, parts.head, controls(page, asset, exchange), parts.trouble, body);
  const state = { parts, body, charts, asset, exchange, closer, whole: false, found: null, asked: null, now: [], name: null, shown: null };
  page.every(1000, parts.cards.tick);
  page.every(REFRESH, () => (page.params.end ? null : page.again()));
  const refresh = paced(LIVE, () => { if (!page.params.end && !document.hidden) page.again(); });
  const hear = whileLive(page, ["funding"], () => !page.params.end, (kind, { asset: of }) => { if (of === state.name) refresh(); });
  return (changed) => { hear(); return update(page, state, changed); };
}

const alert = () => h("div", { role: "alert" });

const controls = (page, asset, exchange) => toolbar(asset, spanControls(page),
  choose(page, "per", "Rates per", [["native", "interval, as paid"], ["1h", "hour"], ["8h", "8 hours"], ["1y", "year"]]),
  choose(page, "margin", "Margin", [["all", "all"], ["stable", "stablecoin"], ["coin", "coin"]]),
  search(page, "exchanges", "Exchanges", { wait: 500, placeholder: "all", note: "Slugs, separated by commas" }),
  exchange, choose(page, "volume", "Volume in", [["coins", "coins"], ["usd", "USD"]]));

async function update(page, state, changed) {
  const only = (words) => changed?.length && changed.every((each) => words.includes(each)) && state.whole;
  if (only(ZOOM)) return look(page, state);
  if (only(SHOWN)) return market(page, state);
  if (only(CARRY)) return state.parts.carry.update(state.asked);
  return load(page, state);
}

/** Show the part of the window that is zoomed to. */
function look(page, { charts, closer, asked }) {
  const range = asked.range();
  closer.hidden = range[0] === asked.window.start && range[1] === asked.window.end;
  charts.forEach(({ chart }) => chart.zoom(...range));
}

function question(page) {
  const { asset, per, margin, exchanges } = page.params;
  const window = span(page.params);
  return { asset, per, window, narrow: { exchanges, margin: margin === "all" ? null : margin },
    over: { start: window.start, end: window.end, limit: LIMIT }, range: () => zoomed(page.params, window) };
}

async function load(page, state) {
  state.whole = false;
  const { parts } = state;
  const asked = question(page);
  page.forget();
  state.asked = asked;
  if (state.shown !== asked.asset) clear(state, asked.asset);
  offer(page, state);
  const done = await tried(parts.trouble, async () => {
    const now = await page.get("/funding", { assets: asked.asset, ...asked.narrow, per: asked.per, at: asked.window.live ? null : asked.window.end });
    [state.now, state.name] = [now.rows, now.rows[0]?.asset ?? null];
    parts.standing.show(now, asked);
    parts.cards.next(now.rows, asked);
    past(page, state, asked);
  });
  state.body.hidden = !done;
  if (!done) return;
  await Promise.all([
    ...[parts.funding, parts.interest, parts.liquidations, parts.predicted, parts.carry].map((part) => part.update(asked)),
    tops(page, state, asked), tried(parts.unpriced, () => priced(page, state, asked)),
  ]);
  look(page, state);
  state.whole = state.asked === asked;
}

/** Nothing of one asset may stand under the name of another while its own is on the way. */
function clear(state, asset) {
  const { parts, charts } = state;
  [state.shown, state.found] = [asset, null];
  parts.head.textContent = asset;
  state.body.hidden = true;
  charts.forEach(({ chart }) => chart.empty("…"));
  parts.cards.clear();
  parts.carry.clear();
}

async function priced(page, state, asked) {
  const found = await candles(page, asked);
  state.found = found;
  await market(page, state);
}

/** The cards that are of the end of the window. */
async function tops(page, { parts }, asked) {
  await tried(parts.untopped, async () => {
    const at = { ...asked.narrow, at: asked.window.end };
    const [mean, sum] = await Promise.all([asked.per === "native" ? null : page.get(route`/funding/${asked.asset}`, { ...at, weighted: "oi", per: asked.per }),
      page.get(route`/open-interest/${asked.asset}`, { ...at, aggregate: "sum" })]);
    if (asked.per === "native") parts.cards.per();
    else parts.cards.rate(mean.rows[0], asked);
    parts.cards.interest(sum.rows[0]);
  });
}

/** Price and volume, of the exchange chosen or the one with most open interest. */
async function market(page, { parts, found, now, asked, exchange }) {
  if (!found) return;
  const told = [...new Set(found.rows.map((row) => row.exchange))].sort();
  exchange.offer([["", "most open interest"], ["all", "all exchanges"], ...told.map((name) => [name, name])]);
  const most = leading(found, now);
  const one = page.params.price || most;
  parts.cards.price(found.rows.findLast((row) => row.exchange === (one === "all" ? most : one)), found.step);
  await Promise.all([parts.price.show(asked, found, one), parts.volume.show(asked, found, page.params.volume)]);
}

/** Of the exchanges whose candles reach the newest one: that with most open interest, else the one with most candles. */
function leading({ rows, step }, now) {
  const newest = Math.max(...rows.map(({ time: at }) => at)) - stepOf(step);
  const count = new Map(rows.filter((row) => row.time >= newest).map((row) => [row.exchange, 0]));
  for (const row of rows) if (count.has(row.exchange)) count.set(row.exchange, count.get(row.exchange) + 1);
  const held = (name) => Math.max(-1, ...now.filter((row) => row.exchange === name).map((row) => row.oi_usd ?? -1));
  return [...count.keys()].sort((a, b) => held(b) - held(a) || count.get(b) - count.get(a))[0];
}

/** Where all that is stored ended before the window began: the way there. */
function past(page, { parts, now }, { window }) {
  const last = Math.max(0, ...now.map((row) => row.time));
  const link = last && last < window.start && page.here({ end: word(last + 60_000).slice(0, 16), start: "", from: "", to: "" });
  fill(parts.past, link ? h("p", { class: "notice", id: "past" }, `The last settlement stored is of ${time(last)} UTC, before this window. `, h("a", { href: link }, "Show the time up to it")) : null);
}

/** Offer the assets that have contracts, once. */
async function offer(page, state) {
  if (state.offered) return;
  state.offered = true;
  const answer = await page.get("/entities", { limit: LIMIT }).catch(() => null);
  state.offered = Boolean(answer);
  if (answer) state.asset.offer(answer.rows.filter(({ instruments }) => instruments).map(({ asset }) => asset).sort());
}
