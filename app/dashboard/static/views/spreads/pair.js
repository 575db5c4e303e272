/** One pair over time: its spread, both rates, and the spread that would pay the fees. */

import { route } from "../../api.js";
import { colour, hues, line } from "../../chart.js";
import { toolbar } from "../../controls.js";
import { fill, h } from "../../dom.js";
import { bring, nothing } from "../../empty.js";
import { MISSING, PER, age, percent, rate, usd } from "../../format.js";
import { broken } from "../../gaps.js";
import { aligned, panel } from "../../panel.js";
import { interval, span, spanControls, stepOf, word, zoomed } from "../../span.js";
import { charged } from "./ranking.js";

const GRID = ["1h", "4h", "1d"];
const ZOOM = ["from", "to"];

/** Words of the address that are about the pair alone. */
export const WORDS = ["asset", "short", "long", "window", "start", "end", ...ZOOM];

/** The section of a pair. `update(changed, then)`. */
export function pair(page) {
  const zoom = (from, to) => page.set({ from: from === null ? "" : word(from), to: to === null ? "" : word(to) });
  const title = h("h2", { id: "pair-title" }, "History of a pair");
  const facts = h("dl", { class: "cards" });
  const chart = panel(page, { id: "chart-pair", title: "Spread", unit: "settled rates in force", file: "spread", height: 360, onzoom: zoom });
  const inside = h("div", { hidden: true }, toolbar(spanControls(page, { ends: null })), facts, chart);
  const hint = h("p", { class: "empty" }, "Choose a pair in the ranking to see its history here.");
  const made = h("section", { id: "pair", "aria-labelledby": "pair-title" }, title, hint, inside);
  let whole = false;
  made.update = async (changed, then) => {
    then();
    const { asset, short, long } = page.params;
    const named = Boolean(asset && short && long);
    hint.hidden = named;
    inside.hidden = !named;
    title.textContent = named ? `${asset}: short ${short}, long ${long}` : "History of a pair";
    if (!named) return;
    if (changed?.includes("short") || changed?.includes("asset")) made.scrollIntoView({ block: "nearest" });
    if (whole && changed?.every((each) => ZOOM.includes(each))) return void chart.chart.zoom(...range(page));
    whole = false;
    whole = await chart.load(() => draw(page, { chart, facts }));
  };
  return made;
}

/** The window ends at the instant of the ranking. */
const window = ({ params }) => span({ ...params, end: params.at });
const range = (page) => zoomed(page.params, window(page));

async function draw(page, { chart, facts }) {
  const { asset, short, long, per, fees, horizon, at } = page.params;
  const [over, step] = [window(page), interval(window(page), GRID)];
  const [path, query] = [route`/spreads/${asset}`, { short, long, per, interval: step, start: over.start, end: over.end, limit: 10_000 }];
  const [answer, now] = await Promise.all([page.all(path, query),
    page.get("/spreads", { assets: asset, exchanges: [...new Set([short, long].map((leg) => leg.split(":")[0]))], pairs: "all", per, ...charged(page.params),
      horizon_hours: horizon, at: at ? over.end : null })]);
  const standing = now.rows.find((row) => same(row, short, long));
  tell(facts, standing, page.params);
  const needed = standing?.break_even_spread ?? null;
  chart.about([`per ${PER[per]}, every ${step}`, needed === null ? "" : `; break-even: ${rate(needed, per)} pays the ${fees} fees in ${horizon} hours`],
    [["CSV of the API", path, query]]);
  if (!answer.rows.length) return void chart.chart.empty(nothing(answer.meta, bring("funding", asset)));
  await chart.chart.draw(() => traces(broken(answer.rows, () => stepOf(step), ["short_rate", "long_rate", "spread"]), needed, over), aligned(range(page), { tickformat: per === "1y" ? ",.1~%" : ".4~%" }));
  await chart.chart.zoom(...range(page));
}

/** Whether a row of the ranking is of these legs, whichever of them is short now. */
const same = (row, short, long) => [`${row.short_exchange}:${row.short_instrument}`, `${row.long_exchange}:${row.long_instrument}`].sort().join() === [short, long].sort().join();

function traces(rows, needed, over) {
  const first = rows[0];
  const hue = hues([first.short_exchange, first.long_exchange]);
  const times = rows.map(({ time: at }) => at);
  const stepped = (name, field, paint, width, dash) => line(name, times, rows.map((row) => row[field]),
    { line: { shape: "hv", color: paint, width, dash }, trace: { hovertemplate: "%{y:.5~%}" } });
  return [stepped(`short ${first.short_exchange}`, "short_rate", colour(hue.get(first.short_exchange)), 1.2, "dot"),
    stepped(`long ${first.long_exchange}`, "long_rate", colour(hue.get(first.long_exchange)), 1.2, "dash"),
    stepped("spread", "spread", colour("ink"), 2.2, "solid"),
    ...(needed === null ? [] : [line("break-even", [over.start, over.end], [needed, needed],
      { line: { color: colour("bad"), dash: "longdashdot" }, trace: { hovertemplate: "%{y:.5~%}" } })])];
}

function tell(facts, row, { per, short, at }) {
  const missing = (why) => h("span", { class: "missing", title: why }, MISSING);
  const card = (id, title, value, about) => h("div", { class: "card" }, h("dt", {}, title), h("dd", { id }, value), h("dd", { class: "about" }, about));
  if (!row) return void fill(facts, card("pair-spread", "Spread", missing("a leg has no rate in force"), `no rate of both in force ${at ? "then" : "now"}`));
  const turned = `${row.short_exchange}:${row.short_instrument}` !== short;
  fill(facts,
    card("pair-spread", "Spread", rate(row.spread, per), `per ${PER[per]}${turned ? "; the other way round: short and long have changed places" : ""}`),
    card("pair-net", "Net APR", percent(row.net_apr, 2), `after ${percent(row.fees, 3)} of fees${row.fees_assumed ? ", assumed" : ""}`),
    card("pair-needed", "Break-even spread", rate(row.break_even_spread, per), `per ${PER[per]}, to pay the fees in the hours held`),
    card("pair-hours", "Break-even", row.break_even_hours === null ? missing("the spread is 0") : age(row.break_even_hours * 3600), "at the spread as it stands"),
    card("pair-capacity", "Capacity", row.capacity_usd === null ? missing("open interest of a leg is not known") : usd(row.capacity_usd), "USD"),
    card("pair-age", "Age", age(row.age_s), "of the older rate"));
}
