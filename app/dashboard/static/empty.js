/** Why there is nothing, and what to do next. */

import { Problem, route } from "./api.js";
import { h, sentence } from "./dom.js";
import { day, time } from "./format.js";

const STAMP = /\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z/g;
const MINUTE = 60_000;
const DAY = 86_400_000;

const told = (meta) => meta.notices.find((notice) => notice.startsWith("no rows")) ?? null;

/** Why an answer has no rows, as its `meta` says: what stands for it in the page; null where it does not say. */
export const reason = (meta) => told(meta) && sentence(`${told(meta)[0].toUpperCase()}${told(meta).slice(1)}.`);

/**
 * Why an answer has no rows, a way to where what is stored begins or ends, and advice.
 * @param {Object} meta of the answer @param {Node|string|Array} advice how such numbers come in
 * @param {{go?: (moment: string) => void, after?: number}} way shows an instant (as the address has it), so many
 *   milliseconds after the one that `meta` names
 */
export function nothing(meta, advice, { go = null, after = 0 } = {}) {
  const stamps = go ? [...new Set(told(meta)?.match(STAMP) ?? [])] : [];
  const ways = stamps.map((stamp) => {
    const moment = Math.ceil((Date.parse(stamp) + after) / MINUTE) * MINUTE;
    return [" ", h("button", { type: "button", class: "quiet", onclick: () => go(new Date(moment).toISOString().slice(0, 16)) }, `Show ${time(moment)} UTC`)];
  });
  return [reason(meta) ?? "No rows.", ways, " ", advice];
}

/** The commands that bring data of an asset, as they are typed. */
export const bring = (dataset, asset) => sentence(`To bring it: \`perpstore backfill SOURCE --days 30 --asset ${asset}\`, or `
  + `\`perpstore import ${dataset} FILE\`; to look around, \`perpstore demo\`.`);

/** A way to the last days of which something is stored of the asset that is asked about; null: nothing is. */
export async function elsewhere(page, days) {
  const { asset } = page.params;
  if (!asset || asset.includes(",")) return null;
  const last = await newest(page, asset);
  if (!last) return null;
  const end = day(Date.parse(last) + DAY);
  const start = day(Date.parse(end) - days * DAY);
  return h("p", {}, `The newest that is stored of ${asset} is of ${day(Date.parse(last))}. `,
    h("a", { href: page.link(page.name, { ...page.params, start: `${start}T00:00`, end: `${end}T00:00` }) }, `Look at ${start} to ${end}`));
}

async function newest(page, asset) {
  try {
    const answer = await page.get(route`/entities/${asset}`);
    const times = (answer.rows[0]?.data ?? []).map(({ last }) => last).filter(Boolean);
    return times.length ? times.sort().at(-1) : null;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}
