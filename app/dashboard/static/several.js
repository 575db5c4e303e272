/** Several of some names, bound to a word of the address: those chosen by commas. */

import { fill, h } from "./dom.js";

/** The names in a word of the address. */
export const listed = (text) => (text ?? "").split(",").filter(Boolean);

/**
 * Boxes to tick, folded in. `offer(known)` says which there are: names, or [name, text] pairs.
 * `none`: what is meant where none is chosen.
 * @param {Object} page @param {string} name @param {string} label @param {{none?: string}} more
 * @returns {HTMLElement & {offer: (known: (string|[string, string])[]) => void}}
 */
export function several(page, name, label, { none = "all" } = {}) {
  const boxes = h("fieldset", {}, h("legend", { class: "unseen" }, label));
  const summary = h("summary");
  const list = h("details", { class: "several", onkeydown: (event) => { if (event.key === "Escape") close(); } }, summary, boxes);
  const made = h("div", { class: "control" }, h("span", { class: "label" }, label), list);
  const chosen = () => listed(page.params[name]);
  let offered = [];
  const close = () => { list.open = false; summary.focus(); };
  const choose = () => {
    const ticked = [...boxes.querySelectorAll("input:checked")].map(({ value }) => value);
    page.set({ [name]: ticked.join(",") });
  };
  const box = ([one, text]) => h("label", {}, h("input", { type: "checkbox", name, value: one, onchange: choose }), ` ${text}`);
  const show = () => {
    const wanted = chosen();
    summary.textContent = wanted.length > 2 ? `${wanted.length} chosen` : wanted.join(", ") || none;
    summary.setAttribute("aria-label", `${label}: ${summary.textContent}`);
    for (const input of boxes.querySelectorAll("input")) input.checked = wanted.includes(input.value);
  };
  made.offer = (known) => {
    const pairs = known.map((one) => (Array.isArray(one) ? one : [one, one]));
    const lost = chosen().filter((one) => !pairs.some(([each]) => each === one)).map((one) => [one, one]);
    if (JSON.stringify([...pairs, ...lost]) === JSON.stringify(offered) && offered.length) return;
    offered = [...pairs, ...lost];
    fill(boxes, h("legend", { class: "unseen" }, label), offered.map(box));
    show();
  };
  addEventListener("click", (event) => { if (!list.contains(event.target)) list.open = false; }, { signal: page.signal });
  made.offer([]);
  page.sync(show);
  return made;
}
