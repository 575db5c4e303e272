/** What this process does not pull: of that nothing is due, and nothing late. */

import { fill, h, sentence } from "../../dom.js";

const STATES = ["off", "disabled"];

/**
 * A notice for where nothing is pulled at all. `ask()` has it told by `/quality/sources`, and gives the sources that are not pulled.
 * @returns {HTMLElement & {ask: () => Promise<Set<string>|null>}}
 */
export function unpulled(page) {
  const made = h("div");
  made.ask = async () => {
    const answer = await page.get("/quality/sources");
    if (!answer) return null;
    const rows = answer.rows.filter(({ state }) => STATES.includes(state));
    const off = rows.find(({ state }) => state === "off");
    const said = off && rows.length === answer.rows.length ? `Nothing is pulled by this process: ${off.reason}. To have it pulled, ${off.next_step}.` : null;
    fill(made, said && h("p", { class: "notice", id: "unpulled" }, sentence(said)));
    return new Set(rows.map(({ source }) => source));
  };
  return made;
}
