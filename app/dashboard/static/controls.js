/** Controls bound to the words of the address: what is chosen is in the link, and a link chooses. */

import { fill, h, settled } from "./dom.js";

let made = 0;

function labelled(page, name, label, input, { show, note = null }) {
  input.id = `control-${name}-${++made}`;
  input.name = name;
  page.sync(() => show(page.params[name] ?? ""));
  return h("div", { class: "control" }, h("label", { for: input.id, title: note }, label), input);
}

/** One of several. `options`: [value, text] pairs, or a function that gives them. */
export function choose(page, name, label, options, { note } = {}) {
  const input = h("select", { onchange: () => page.set({ [name]: input.value }) });
  const offer = (pairs) => {
    const wanted = page.params[name] ?? "";
    const known = pairs.some(([value]) => String(value) === wanted);
    fill(input, (known || !wanted ? pairs : [...pairs, [wanted, wanted]]).map(([value, text]) => h("option", { value }, text)));
    input.value = wanted;
  };
  offer(options);
  const control = labelled(page, name, label, input, { show: (value) => { input.value = value; }, note });
  control.offer = offer;
  return control;
}

/** A number; empty is none. */
export function numeric(page, name, label, { min = null, step = "any", note, placeholder = "none" } = {}) {
  const input = h("input", { type: "number", min, step, placeholder, inputmode: "decimal" });
  input.addEventListener("input", settled(300, () => { if (input.validity.valid) page.set({ [name]: input.value }); }));
  return labelled(page, name, label, input, { show: (value) => { if (document.activeElement !== input) input.value = value; }, note });
}

/** Words to search by. `wait`: milliseconds after the last key. */
export function search(page, name, label, { wait = 0, note, placeholder = "" } = {}) {
  const input = h("input", { type: "search", placeholder, autocomplete: "off", spellcheck: "false" });
  input.addEventListener("input", settled(wait, () => page.set({ [name]: input.value.trim() })));
  return labelled(page, name, label, input, { show: (value) => { if (document.activeElement !== input) input.value = value; }, note });
}

/** A name out of a list that may also be typed (an asset, an exchange); taken when it is finished. */
export function pick(page, name, label, { offers = [], note, placeholder = "" } = {}) {
  const list = h("datalist", { id: `offers-${name}-${++made}` });
  const input = h("input", { type: "text", list: list.id, placeholder, autocomplete: "off", spellcheck: "false", size: 10 });
  input.addEventListener("change", () => page.set({ [name]: input.value.trim() }));
  const control = labelled(page, name, label, input, { show: (value) => { input.value = value; }, note });
  control.append(list);
  control.offer = (values) => fill(list, values.map((value) => h("option", { value })));
  control.offer(offers);
  return control;
}

/** An instant in UTC, to the minute; empty is now. In the address it is as typed: 2026-03-02T08:00. */
export function moment(page, name, label, { note = "UTC; empty: now" } = {}) {
  const input = h("input", { type: "datetime-local", step: 60 });
  input.addEventListener("change", () => page.set({ [name]: input.value }));
  return labelled(page, name, `${label} (UTC)`, input, { show: (value) => { input.value = value.slice(0, 16); }, note });
}

/** Yes or no; in the address as `true`, or not at all. */
export function check(page, name, label, { note } = {}) {
  const input = h("input", { type: "checkbox", onchange: () => page.set({ [name]: input.checked ? "true" : "" }) });
  const control = labelled(page, name, label, input, { show: (value) => { input.checked = value === "true"; }, note });
  control.classList.add("check");
  return control;
}

/** Controls in a row. */
export const toolbar = (...controls) => h("form", { class: "toolbar", "aria-label": "What is shown", onsubmit: (event) => event.preventDefault() }, controls);
