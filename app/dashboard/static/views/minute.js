/** Minutes: candles with their wicks, changes over 1, 5 and 10 minutes, and all assets at one minute. */

import { Problem, route } from "../api.js";
import { now } from "../clock.js";
import { choose, moment, numeric, pick, search, toolbar } from "../controls.js";
import { fill, h, sentence } from "../dom.js";
import { nothing } from "../empty.js";
import { sideBySide } from "../places.js";
import { remembering } from "../remembering.js";
import { listed, several } from "../several.js";
import { instant } from "../span.js";
import { candles } from "./minute/candles.js";
import { conditions } from "./minute/conditions.js";
import { rolling } from "./minute/rolling.js";
import { scan } from "./minute/scan.js";

const MINUTE = 60_000;
const HOURS = { "1h": 1, "6h": 6, "24h": 24 };
/** So far behind the newest minute may be: it may have been told only just now. */
const LATE = 3 * MINUTE;
const MOST = 10_000;
const REFUSED = ["bad_where", "unknown_field", "where_missing"];
const advice = () => sentence("Minutes come in while `perpstore serve` runs with a network, by `perpstore backfill` or "
  + "`perpstore import candles`; `perpstore demo` makes some up.");

export const view = {
  defaults: { asset: "BTC", exchange: "", perpspecs: "", window: "1h", at: "", start: "", end: "", interval: "1m", min_pct: "0.3", side: "", field: "c", where: "", q: "", sort: "-c_chg_5m" },
  open(page) {
    const ask = remembering(page);
    const controls = toolbars(page);
    const places = { candles: candles(page), rolling: rolling(page), scan: scan(page) };
    fill(page.root, h("h1", {}, "Minute"), controls.whose,
      h("section", {}, controls.wicks, places.candles),
      h("section", {}, h("h2", {}, "Changes over 1, 5 and 10 minutes"), controls.field, places.rolling),
      h("section", {}, h("h2", {}, "All assets at one minute"), controls.where, controls.search, places.scan));
    const open = { page, ask, controls, places, now: now(), usual: null };
    page.every(MINUTE, () => (page.params.at || page.params.window === "range" ? null : page.again()));
    return (changed) => {
      if (changed?.every((word) => word === "q" || word === "sort")) return places.scan.filter(page.params.q);
      if (changed === null) {
        ask.forget();
        open.now = Math.floor(now() / MINUTE) * MINUTE;
      }
      return show(open);
    };
  },
};

function toolbars(page) {
  const window = choose(page, "window", "Window", [...Object.keys(HOURS).map((each) => [each, `last ${each.slice(0, -1)} h`]), ["range", "from – to"]]);
  const at = moment(page, "at", "Until");
  const range = [moment(page, "start", "From", { note: "UTC" }), moment(page, "end", "To")];
  page.sync(() => {
    at.hidden = page.params.window === "range";
    for (const each of range) each.hidden = !at.hidden;
  });
  const exchange = choose(page, "exchange", "Candles of", [["", "automatic"]], { note: "Automatic: the exchange with the newest candle in the day before the end; where that is minutes old, the window ends with it" });
  const perpspecs = several(page, "perpspecs", "Perpspecs", { none: "candles of the exchange" });
  const field = choose(page, "field", "Field", [["c", "c"]]);
  const where = conditions(page);
  return {
    exchange, perpspecs, where, field: toolbar(field), offerFields: field.offer,
    whose: toolbar(pick(page, "asset", "Asset", { offers: ["BTC", "ETH", "SOL"] }), exchange, window, at, ...range, perpspecs),
    wicks: toolbar(choose(page, "interval", "Candles", ["1m", "5m", "15m", "1h"].map((each) => [each, each])),
      numeric(page, "min_pct", "Wicks from, %", { min: 0, placeholder: "2" }), choose(page, "side", "Wicks", [["", "both"], ["upper", "upper"], ["lower", "lower"]])),
    search: toolbar(search(page, "q", "Only assets with", { placeholder: "letters" })),
  };
}

/** The window the words mean, as milliseconds: start inclusive, end exclusive. */
function windowOf({ window, at, start, end }, now) {
  const range = window === "range";
  const [word, last] = range ? ["end", end] : ["at", at];
  const until = last ? instant(last, word) : now;
  const from = range && start ? instant(start, "start") : until - (HOURS[window] ?? 1) * 60 * MINUTE;
  if (from >= until) throw new Problem(400, { detail: "The window ends before it begins: From has to lie before To" });
  return { start: from, end: until };
}

/** Ask what the words say, and show it. Exchange and perpspecs that are not chosen follow from what there is. */
async function show(open) {
  const { page, ask, controls } = open;
  const { params } = page;
  const span = windowOf(params, open.now);
  const { asset } = params;
  const [registry, last] = await Promise.all([ask("/perpspecs"), ask(route`/candles/${asset}`, recent(span)).catch(unknown)]);
  const there = [...new Set(last.rows.map((row) => row.exchange))];
  const known = [...new Set([...there, ...registry.rows.map((row) => row.exchange).filter(Boolean)])].sort();
  open.usual = there.includes(open.usual) ? open.usual : (there[0] ?? "");
  const exchange = params.exchange || open.usual;
  controls.exchange.offer([["", open.usual ? `automatic: ${open.usual}` : "automatic"], ...known.map((each) => [each, each])]);
  controls.perpspecs.offer(registry.rows.map((row) => [row.name, `${row.name}: ${row.fields.join(", ")}`]));
  const chosen = listed(params.perpspecs);
  const live = params.window !== "range" && !params.at;
  const bar = live && !chosen.length && last.rows.find((row) => row.exchange === exchange);
  const minutes = bar ? await ask(route`/candles/${asset}`, { start: bar.time, end: Math.min(bar.time + 15 * MINUTE, span.end), interval: "1m", exchanges: exchange }) : { rows: [] };
  if (!minutes) return;
  const specs = registry.rows.filter((row) => (chosen.length ? chosen.includes(row.name) : (row.exchange === exchange || !exchange) && row.kind === "ohlcv"));
  const names = chosen.length ? chosen : specs.map(({ name }) => name);
  await parts({ ...open, params, span: upTo(span, minutes.rows.at(-1)), asset, exchange, specs, names, latest: live ? null : span.end });
}

/** The window, as long, up to the newest minute where that is behind; `behind`: by how many milliseconds (0: it is not). */
function upTo(span, row) {
  const behind = row ? span.end - (row.time + MINUTE) : 0;
  return behind > LATE ? { start: span.start - behind, end: span.end - behind, behind } : { ...span, behind: 0 };
}

/** Who has candles, the newest first: of the day before the end, as what told nothing for an hour may be asked for. */
const recent = ({ start, end }) => ({ start: Math.min(start, end - 24 * 60 * MINUTE), end, interval: "15m", order: "desc", limit: 1000 });

/** An asset nobody knows has no candles: its parts say so, and that of all assets is shown. */
function unknown(problem) {
  if (problem.status !== 404) throw problem;
  return { rows: [] };
}

async function parts(open) {
  const { ask, controls, places, params, asset, exchange, specs, names, latest } = open;
  const { behind, ...span } = open.span;
  const goTo = { go: (to) => open.page.set(params.window === "range" ? { window: "1h", at: to } : { at: to }), after: MINUTE };
  const unregistered = () => sentence(`No perpspec of ${exchange} has candles. Choose others above, or register one: `
    + `\`perpstore perpspec add ${exchange}-ohlcv ts,symbol,o,h,l,c,v\``);
  const changes = () => ask(route`/rolling/${asset}`, { ...span, perpspecs: names, limit: MOST });
  await sideBySide([
    [places.candles, async () => {
      const query = { ...span, interval: params.interval, limit: MOST };
      const [bars, wicks] = await Promise.all([ask(route`/candles/${asset}`, { ...query, exchanges: exchange }),
        ask(route`/wicks/${asset}`, { ...query, exchange, min_pct: params.min_pct, side: params.side })]);
      if (bars.rows.length) places.candles.show(bars.rows, wicks.rows, { ...span, behind, exchange, interval: params.interval, asset: params.asset, minimum: params.min_pct || "2" });
      else places.candles.empty(nothing(bars.meta, advice(), goTo));
    }],
    [places.rolling, async () => {
      if (!names.length) return places.rolling.empty(unregistered());
      const answer = await changes();
      const fields = changing(answer.meta.units);
      controls.offerFields(fields.map((each) => [each, `${each} (${answer.meta.units[each]})`]));
      const field = fields.includes(params.field) ? params.field : fields[0];
      if (answer.rows.length) return places.rolling.show(answer, specs, field, span);
      return places.rolling.empty(nothing(answer.meta, advice(), goTo));
    }],
    [places.scan, async () => {
      if (!names.length) return places.scan.empty(unregistered());
      const at = latest ?? await newest(changes);
      const answer = await conditional(controls.where, () => ask("/rolling", { perpspecs: names, at, where: params.where, limit: MOST }));
      if (answer === undefined) return places.scan.empty("These conditions are refused: see above.");
      controls.where.offer([...Object.keys(answer.meta.units), ...specs.flatMap((spec) => spec.fields).filter((field) => !(field in answer.meta.units))]);
      if (answer.rows.length) return places.scan.show(answer, at ?? answer.meta.window.at, params.q);
      const loosen = "Loosen or remove conditions, or look at another minute.";
      return places.scan.empty(nothing(answer.meta, params.where ? loosen : advice(), goTo));
    }],
  ]);
}

/** When the newest minute of this asset closed: of the one that closed last just now nothing may have been told yet. */
async function newest(changes) {
  const answer = await changes().catch(unknown);
  const last = answer?.rows.reduce((latest, { time }) => Math.max(latest, time), 0);
  return last ? last + MINUTE : null;
}

/** Fields of which there are changes, as the units of an answer name them. */
const changing = (units) => Object.keys(units).filter((name) => `${name}_chg_1m` in units);

/** Ask under conditions; what is refused of them is said beside them, and undefined given. */
async function conditional(where, run) {
  try {
    const answer = await run();
    where.wrong(null);
    return answer;
  } catch (error) {
    if (!REFUSED.includes(error.code)) throw error;
    where.wrong(error.message);
    return undefined;
  }
}
