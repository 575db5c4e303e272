/** Now: funding of every asset at every exchange, as it stands. */

import { Problem, get } from "../api.js";
import { hear } from "../clock.js";
import { choose, moment, numeric, search, toolbar } from "../controls.js";
import { fill, h } from "../dom.js";
import { reason } from "../empty.js";
import { time } from "../format.js";
import { several } from "../several.js";
import { whileLive } from "../span.js";
import { ofAsset, ofExchange } from "./now/details.js";
import { heatmap } from "./now/heat.js";
import { clock, exchangesOf, gathered, lines, questions, records } from "./now/market.js";

const ASKED = ["at", "per", "margin", "exchanges"];
const ALL = null;
const SECOND = 1000;
const SOON = 400;
const ALL_AGAIN = 60 * SECOND;
const MANY = 60;
const HINT = "Point at a cell, tap it, or walk to it by the arrow keys: what it is made of is told here.";

export const view = {
  defaults: { at: "", per: "8h", kind: "settled", sort: "-oi", exchanges: "", margin: "all", min_oi: "", q: "" },
  open(page) {
    const details = h("div", { id: "details", class: "details", role: "region", tabindex: 0, "aria-label": "What a cell is made of" }, h("p", {}, HINT));
    const place = h("div");
    const none = h("p", { class: "empty", hidden: true }, "No asset is left by the search and the least open interest. ",
      h("button", { type: "button", onclick: () => page.set({ q: "", min_oi: "" }) }, "Show all"));
    const offered = several(page, "exchanges", "Exchanges", { none: "all" });
    fill(page.root, h("h1", {}, "Funding now"), controls(page, offered), place, details, legend());
    let [map, asked, told, at, empty] = [null, null, null, 0, false];
    const live = () => !page.params.at;

    const words = () => page.params;
    const tell = (line, column, cell) => {
      told = () => fill(details, map.exchanges.includes(column) ? ofExchange(line, column, words()) : ofAsset(line, words()));
      if (cell) told();
    };
    const painted = () => {
      const left = map.filter();
      none.hidden = left > 0;
      map.entitle(left, time(Math.floor(at / SECOND) * SECOND));
    };
    async function load() {
      const wanted = ASKED.map((word) => page.params[word]).join(" ");
      const found = await ask(page.get);
      if (!found) return;
      asked = wanted;
      [map, told] = [null, null];
      fill(details, h("p", {}, HINT));
      empty = !found.rates.length && !found.means.length;
      if (empty) return void fill(place, nothing(page, found.meta));
      const exchanges = exchangesOf(found.rates);
      map = heatmap({ lines: lines(found.rates, found.means), exchanges, words, tell, link: (asset) => page.link("asset", { asset, ...(live() ? {} : { end: page.params.at }) }), onsort: (sort) => page.set({ sort }) });
      at = clock(page.params);
      map.write();
      map.sort();
      painted();
      fill(place, map.box, none);
      afterwards(() => { if (!performance.getEntriesByName("heatmap-painted").length) performance.mark("heatmap-painted"); });
    }
    async function ask(by, assets = []) {
      const { rates, means } = questions(page.params, assets);
      const [rated, weighted] = await Promise.all([by("/funding", rates), by("/funding", means)]);
      return rated && weighted && { rates: records(rated.rows), means: records(weighted.rows), meta: rated.meta };
    }
    /** Newer numbers of some assets, or of all, into the cells there are. Where none come, the frame says why. */
    async function refresh(assets) {
      const [mine, before] = [map, asked];
      const all = assets.length > MANY || assets.includes(ALL);
      const found = await ask((path, query) => get(path, query, { signal: page.signal }), all ? [] : assets).catch(unheard);
      if (!found || mine !== map || before !== asked) return;
      hear(found.meta);
      at = clock(page.params);
      if (!map.patch(lines(found.rates, found.means))) return void page.again();
      painted();
      told?.();
    }

    const touch = gathered(SOON, (assets) => {
      if (!live()) return null;
      return map ? refresh(assets) : empty && page.again();
    });
    const listen = whileLive(page, ["funding"], live, (kind, data) => touch(kind === "funding" ? data.asset : ALL));
    page.every(SECOND, () => { if (live()) map?.tick(); });
    page.every(ALL_AGAIN, () => { if (live()) { if (map) touch(ALL); else page.again(); } });
    get("/exchanges", {}, { signal: page.signal }).then(({ rows }) => offered.offer(rows.filter(({ instruments }) => instruments).map(({ exchange }) => exchange)), unheard);

    return async (changed) => {
      const start = performance.now();
      listen();
      if (changed === null || ASKED.map((word) => page.params[word]).join(" ") !== asked) return load();
      if (!map) return null;
      if (changed.includes("kind")) map.write();
      if (changed.includes("kind") || changed.includes("sort")) map.sort();
      painted();
      told?.();
      return measured(changed.includes("sort") ? "heatmap-sort" : "heatmap-filter", start);
    };
  },
};

const controls = (page, offered) => toolbar(
  search(page, "q", "Asset", { placeholder: "BTC" }),
  moment(page, "at", "As of"),
  choose(page, "kind", "Rate", [["settled", "settled"], ["predicted", "predicted next"]]),
  choose(page, "per", "Per", [["1h", "hour"], ["8h", "8 hours"], ["1y", "year"]]),
  choose(page, "margin", "Margin", [["all", "all"], ["stable", "stable"], ["coin", "coin"]], { note: "What the contracts are margined in" }),
  numeric(page, "min_oi", "Min. OI (USD)", { min: 0 }),
  offered,
);

const legend = () => h("p", { class: "legend" }, h("span", { dataset: { sign: "plus" } }, "+ longs pay shorts"), " ",
  h("span", { dataset: { sign: "minus" } }, "− shorts pay longs"), " ", h("span", { class: "stale" }, "old: no longer in force"), " – missing");

/** What is not told now is asked again before long; and why nothing is told, the frame says. */
function unheard(error) {
  if (error instanceof Problem || error.name === "AbortError") return null;
  throw error;
}

/** What to do where there is nothing. */
function nothing(page, meta) {
  if (page.params.at) return h("p", { class: "empty" }, reason(meta) ?? `No funding up to ${time(clock(page.params))} UTC is stored with these filters.`, " ", h("button", { type: "button", onclick: () => page.set({ at: "" }) }, "Show what is stored now"));
  const filtered = page.params.exchanges || page.params.margin !== "all";
  if (filtered) return h("p", { class: "empty" }, "No funding is stored with these filters. ", h("button", { type: "button", onclick: () => page.set({ exchanges: "", margin: "all" }) }, "Take all"));
  return h("div", { class: "empty" }, h("p", {}, "No funding is stored yet."), h("ul", {},
    h("li", {}, h("code", {}, "make run"), " with a way to the internet fills this within minutes; ", h("a", { href: "#/data" }, "Data"), " says how the sources stand."),
    h("li", {}, h("code", {}, "perpstore demo"), " loads a small generated data set to look around in."),
    h("li", {}, h("code", {}, "perpstore import funding FILE"), " brings your own.")));
}

/** Once what changed is on the screen. */
function afterwards(run) {
  requestAnimationFrame(() => setTimeout(run));
}

function measured(name, start) {
  afterwards(() => performance.measure(name, { start, end: performance.now() }));
}
