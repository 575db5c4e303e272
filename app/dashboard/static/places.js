/** Places of their own within a view: for one answer each, for its trouble, and for what needs a key. */

import { Problem } from "./api.js";
import { fill, h, sentence } from "./dom.js";

/** What concerns all parts of a view: an unknown name, no key, no server. */
const COMMON = [0, 401, 403, 404, 410];

const askKey = () => h("button", { type: "button", onclick: () => dispatchEvent(new CustomEvent("ask-key")) }, "Enter a key");

/** What went wrong, and what to do. */
export function refusal(problem) {
  const unkeyed = problem.status === 401 || problem.status === 403;
  const near = problem.candidates.length && !problem.message.includes("Did you mean") ? ` Did you mean ${problem.candidates.join(", ")}?` : null;
  return h("p", { class: "notice bad" }, sentence(problem.message), near, unkeyed ? [" ", askKey()] : null);
}

/** What the API refused of this; null where it was done. */
export async function refused(run) {
  try {
    await run();
    return null;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** Run something of the API; what it refuses is said in `trouble`. Gives whether it was done. */
export async function tried(trouble, run) {
  const problem = await refused(run);
  fill(trouble, problem && refusal(problem));
  return problem === null;
}

/**
 * A place for what one answer shows: `load(run)`. What goes wrong in the last run is said here, and the rest of the view stays.
 * @returns {HTMLElement & {load: (run: () => Promise<void>) => Promise<boolean>}}
 */
export function place(...inside) {
  const trouble = h("div", { role: "alert" });
  const rest = h("div", {}, inside);
  const made = h("div", { class: "piece" }, trouble, rest);
  let runs = 0;
  made.load = async (run) => {
    const mine = ++runs;
    const problem = await refused(run);
    if (mine === runs) {
      fill(trouble, problem && refusal(problem));
      rest.hidden = problem !== null;
    }
    return problem === null;
  };
  return made;
}

/**
 * A place that asks: `ask(path, query, show)`, one question at a time. A newer one takes back that under way, so that what
 * was told before something was done is never shown after it.
 * @returns {HTMLElement & {ask: (path: string, query: Object, show: (answer: Object) => void) => Promise<boolean>}}
 */
export function piece(page, ...inside) {
  const made = place(inside);
  let asking = null;
  made.ask = (path, query, show) => {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    return made.load(async () => show(await page.get(path, query, { signal })));
  };
  return made;
}

/**
 * Run the parts of a view side by side. One that fails says so in its place and the rest stays; but what concerns them
 * all is thrown, to be said once.
 * @param {[{empty: (...text) => void}, () => Promise<void>][]} parts places, and what fills them
 */
export async function sideBySide(parts) {
  const failed = await Promise.all(parts.map(async ([part, run]) => {
    const problem = await refused(run);
    if (problem) part.empty(refusal(problem));
    return problem;
  }));
  const common = failed.find((problem) => problem && COMMON.includes(problem.status));
  if (common) throw common;
}

/** Instead of what only a key opens: how to make one, and where to enter it. */
export const locked = (what) => h("div", { class: "empty", id: "locked" },
  h("p", {}, `${what}: for those with a key of scope admin. Make one where the server runs:`),
  h("p", {}, h("code", {}, "perpstore keys create --scope admin --name me")), h("p", {}, askKey()));
