/** Questions before something is done that is not easily undone. */

import { h } from "./dom.js";

/** Ask whether to go on. @returns {Promise<boolean>} */
export function confirmed({ title, text, yes, danger = false }) {
  return new Promise((answer) => {
    const dialog = h("dialog", { "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text",
      onclose: () => { dialog.remove(); answer(dialog.returnValue === "yes"); } },
    h("form", { method: "dialog" }, h("h2", { id: "confirm-title" }, title), h("p", { id: "confirm-text" }, text),
      h("p", { class: "buttons" }, h("button", { value: "yes", class: danger ? "danger" : null }, yes),
        h("button", { value: "no", class: "quiet", autofocus: true }, "Leave it"))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
