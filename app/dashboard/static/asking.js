/** What views of several parts share: questions asked once, parts that fail each in their own place, and why there is nothing. */

import { Problem } from "./api.js";
import { h } from "./dom.js";
import { time } from "./format.js";
import { refusal } from "./page.js";

const STAMP = /\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z/g;
const MINUTE = 60_000;

/**
 * Ask as `page.get` does, but each question once until `forget()`: a control that changes only what is drawn asks nothing.
 * @returns {((path: string, query?: Object) => Promise<Object|null>) & {forget: () => void}}
 */
export function remembering(page) {
  const kept = new Map();
  const ask = async (path, query = {}) => {
    const question = JSON.stringify([path, query]);
    if (!kept.has(question)) {
      const answer = await page.get(path, query);
      if (answer === null) return null;
      kept.set(question, answer);
    }
    return kept.get(question);
  };
  ask.forget = () => kept.clear();
  return ask;
}

/**
 * Run the parts of a view side by side. One that fails says so in its place and the rest stays; but what concerns them
 * all (an unknown name, no key, no server) is thrown, to be said once.
 * @param {[{empty: (...text) => void}, () => Promise<void>][]} parts places, and what fills them
 */
export async function sideBySide(parts) {
  const failed = await Promise.all(parts.map(([place, run]) => attempt(place, run)));
  const common = failed.find((problem) => problem && [0, 401, 403, 404, 410].includes(problem.status));
  if (common) throw common;
}

async function attempt(place, run) {
  try {
    await run();
    return null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    place.empty(refusal(error));
    return error;
  }
}

/** Why an answer has no rows, as its `meta` says; null where it does not. */
export const reason = (meta) => meta.notices.find((notice) => notice.startsWith("no rows")) ?? null;

/**
 * Why there is nothing, and what to do next: where what is stored begins or ends, a way there.
 * @param {Object} meta of the answer
 * @param {{go: (moment: string) => void, after?: number}} way shows an instant (as the address has it), so many
 *   milliseconds after the one that `meta` names
 * @param {...(Node|string)} advice how such numbers come in
 */
export function nothing(meta, { go, after = 0 }, ...advice) {
  const why = reason(meta);
  const stamps = [...new Set(why?.match(STAMP) ?? [])];
  const ways = stamps.map((stamp) => {
    const moment = Math.ceil((Date.parse(stamp) + after) / MINUTE) * MINUTE;
    return [" ", h("button", { type: "button", class: "quiet", onclick: () => go(new Date(moment).toISOString().slice(0, 16)) }, `Show ${time(moment)} UTC`)];
  });
  return [why ? `${why[0].toUpperCase()}${why.slice(1)}.` : "No rows.", ways, " ", advice];
}
