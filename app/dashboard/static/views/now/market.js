/** The market as the heat map shows it: lines of assets, each with what its exchanges tell. */

import { now } from "../../clock.js";
import { settled } from "../../dom.js";
import { instant } from "../../span.js";

/** Rows of an answer in columns (`format=columns`: a third of the bytes). */
export function records(columns) {
  const names = Object.keys(columns);
  return Array.from(columns[names[0]] ?? [], (_, n) => Object.fromEntries(names.map((name) => [name, columns[name][n]])));
}

/** When it is, for these words of the address: an instant of the past, or now (at the server). */
export const clock = ({ at }) => (at ? instant(at, "at") : now());

/** The questions of the heat map, for these words of the address; of all assets, or of these. */
export function questions({ at, per, margin, exchanges }, assets = []) {
  const words = { at: at ? instant(at, "at") : null, per, margin: margin === "all" ? "" : margin, exchanges, assets, limit: 10000, format: "columns" };
  return { rates: words, means: { ...words, weighted: "oi" } };
}

/**
 * Lines by asset: `mean` is what `/funding?weighted=oi` tells of it (null: no rate was in force in 30 days), `told` the
 * contracts of each exchange, the one with the most open interest first.
 */
export function lines(rates, means) {
  const found = new Map();
  const line = (asset) => found.get(asset) ?? found.set(asset, { asset, mean: null, told: new Map() }).get(asset);
  for (const mean of means) line(mean.asset).mean = mean;
  for (const rate of rates) {
    const { told } = line(rate.asset);
    told.set(rate.exchange, [...(told.get(rate.exchange) ?? []), rate].sort((a, b) => (b.oi_usd ?? 0) - (a.oi_usd ?? 0)));
  }
  return found;
}

/** The exchanges of these rates, the one with the most open interest first. */
export function exchangesOf(rates) {
  const held = new Map();
  for (const { exchange, oi_usd: oi } of rates) held.set(exchange, (held.get(exchange) ?? 0) + (oi ?? 0));
  return [...held].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)).map(([exchange]) => exchange);
}

/** What a cell shows of a contract: what was paid, or what is predicted. */
export const shown = (contract, kind) => (kind === "predicted" ? contract?.predicted_rate : contract?.rate) ?? null;

/** Whether a rate is no longer in force: older than one and a half of its intervals. */
export const isStale = (contract, now) => now - contract.time > 1.5 * contract.interval_hours * 3_600_000;

/** Highest less lowest of the rates in the mean. */
export const spread = (mean) => (mean?.max === null || mean?.max === undefined ? null : mean.max - mean.min);

/** Gather names, and do something with all of them a little later; the next ones wait until that is done. */
export function gathered(wait, run) {
  let names = new Set();
  let busy = false;
  async function go() {
    const taken = [...names];
    names = new Set();
    try {
      await run(taken);
    } finally {
      busy = false;
      if (names.size) later();
    }
  }
  const soon = settled(wait, go);
  function later() {
    if (busy) return;
    busy = true;
    soon();
  }
  return (name) => { names.add(name); later(); };
}
