/** A control of which several can be chosen: a list of boxes that opens under its name. */

import { fill, h } from "./dom.js";

let made = 0;

/** The words of a list in the address. */
export const listed = (text) => (text ?? "").split(",").filter(Boolean);

/**
 * Several of a list; in the address joined by commas. `usual`: what is meant by none, said in its place.
 * @param {Object} page @param {string} name @param {string} label
 * @param {{usual?: string, note?: string}} more
 * @returns {HTMLElement & {offer: (pairs: [string, string][]) => void}}
 */
export function several(page, name, label, { usual = "usual", note } = {}) {
  const id = `several-${name}-${++made}`;
  const shown = h("span");
  const boxes = h("div", { class: "boxes" });
  const opened = h("details", { id, "data-name": name, onkeydown: (event) => { if (event.key === "Escape") close(); } },
    h("summary", { "aria-labelledby": `${id}-label ${id}-shown` }, shown), boxes);
  shown.id = `${id}-shown`;
  let offered = [];

  function close() {
    opened.open = false;
    opened.querySelector("summary").focus();
  }
  function take() {
    page.set({ [name]: [...boxes.querySelectorAll(":checked")].map(({ value }) => value).join(",") });
  }
  function show() {
    const chosen = listed(page.params[name]);
    shown.textContent = chosen.length > 2 ? `${chosen.length} chosen` : chosen.join(", ") || usual;
    for (const box of boxes.querySelectorAll("input")) box.checked = chosen.includes(box.value);
  }
  const control = h("div", { class: "control several" }, h("label", { id: `${id}-label`, title: note }, label), opened);
  control.offer = (pairs) => {
    if (JSON.stringify(pairs) === JSON.stringify(offered)) return;
    offered = pairs;
    const missing = listed(page.params[name]).filter((value) => !pairs.some(([each]) => each === value));
    fill(boxes, [...pairs, ...missing.map((value) => [value, value])].map(([value, text]) =>
      h("label", {}, h("input", { type: "checkbox", value, onchange: take }), ` ${text}`)));
    show();
  };
  addEventListener("click", (event) => { if (opened.open && !opened.contains(event.target)) opened.open = false; }, { signal: page.signal });
  page.sync(show);
  return control;
}
