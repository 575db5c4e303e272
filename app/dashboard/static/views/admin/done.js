/** What a button did, said beside it and to those who do not see it. */

import { act } from "../../api.js";
import { fill, h, say, sentence } from "../../dom.js";
import { tried } from "../../places.js";

/**
 * A place for what was done. `run(words, method, path, body, headers)` asks the API for it; `words(rows)` says what it did.
 * @returns {HTMLElement & {run: Function}}
 */
export function done() {
  const trouble = h("div", { role: "alert" });
  const said = h("p", { class: "said" });
  const made = h("div", { class: "done" }, trouble, said);
  made.run = (words, ...asked) => {
    fill(said, "…");
    return tried(trouble, async () => {
      const { rows, meta } = await act(...asked).finally(() => fill(said));
      const text = [words(rows), ...meta.notices].join(". ");
      fill(said, "✓ ", sentence(text));
      say(text);
    });
  };
  return made;
}

/** A button in a row of a table. */
export const button = (text, onclick, label) => h("button", { type: "button", class: "quiet", "aria-label": label, "data-do": text.toLowerCase(), onclick }, text);
