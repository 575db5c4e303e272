/** Places of their own within a view: for one answer each, and for what needs a key. */

import { Problem } from "./api.js";
import { fill, h } from "./dom.js";
import { refusal } from "./page.js";

/** Run something of the API; what it refuses is said in `trouble`. Gives whether it was done. */
export async function tried(trouble, run) {
  try {
    await run();
    fill(trouble);
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    fill(trouble, refusal(error));
    return false;
  }
}

/**
 * A place for one answer: `ask(path, query, show)`. What goes wrong with it is said here, and the rest of the view stays.
 * @returns {HTMLElement & {ask: (path: string, query: Object, show: (answer: Object) => void) => Promise<boolean>}}
 */
export function piece(page, ...inside) {
  const trouble = h("div", { role: "alert" });
  const rest = h("div", {}, inside);
  const made = h("div", { class: "piece" }, trouble, rest);
  made.ask = async (path, query, show) => {
    const done = await tried(trouble, async () => {
      const answer = await page.get(path, query);
      if (answer) show(answer);
    });
    rest.hidden = !done;
    return done;
  };
  return made;
}

/** Instead of what only a key opens: how to make one, and where to enter it. */
export const locked = (what) => h("div", { class: "empty", id: "locked" },
  h("p", {}, `${what} need a key of scope admin. Make one where the server runs:`),
  h("p", {}, h("code", {}, "perpstore keys create --scope admin --name me")),
  h("p", {}, h("button", { type: "button", onclick: () => dispatchEvent(new CustomEvent("ask-key")) }, "Enter a key")));
