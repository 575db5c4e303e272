/** Several of some names, bound to a word of the address: those chosen by commas, none is all. */

import { fill, h } from "../dom.js";

/** Boxes to tick, folded in. `offer(names)` says which there are. */
export function several(page, name, label) {
  const boxes = h("fieldset", {}, h("legend", { class: "unseen" }, label));
  const summary = h("summary");
  const made = h("details", { class: "several" }, summary, boxes);
  const chosen = () => (page.params[name] ? page.params[name].split(",") : []);
  let names = [];
  const choose = () => {
    const ticked = [...boxes.querySelectorAll("input:checked")].map(({ value }) => value);
    page.set({ [name]: ticked.length === names.length ? "" : ticked.join(",") });
  };
  const box = (one) => h("label", {}, h("input", { type: "checkbox", name, value: one, onchange: choose }), ` ${one}`);
  const show = () => {
    const wanted = chosen();
    summary.textContent = `${label}: ${wanted.length || "all"}`;
    for (const input of boxes.querySelectorAll("input")) input.checked = wanted.includes(input.value);
  };
  made.offer = (known) => {
    names = [...new Set([...known, ...chosen()])].sort();
    fill(boxes, h("legend", { class: "unseen" }, label), names.map(box));
    show();
  };
  made.offer([]);
  page.sync(show);
  return made;
}
