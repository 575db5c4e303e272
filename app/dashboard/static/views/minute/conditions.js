/** Conditions of a scan: built by controls, shown as the text that is asked, which can be edited too. */

import { fill, h, sentence } from "../../dom.js";

const OPERATORS = [">", ">=", "<", "<=", "=", "!="];
const CONDITION = /^\s*(\w+)\s*(>=|<=|!=|>|<|=)\s*([^\s<>=!]+)\s*$/;
const FIRST = "c_chg_5m";
let made = 0;

/**
 * The control of the word `where`. `offer(fields)` tells what can be asked of, `wrong(text)` what the API refused.
 * @returns {HTMLElement & {offer: (fields: string[]) => void, wrong: (text: string|null) => void}}
 */
export function conditions(page) {
  const id = `where-${++made}`;
  const list = h("div", { class: "conditions", role: "group", "aria-label": "Conditions; all have to hold" });
  const refused = h("p", { class: "notice bad", role: "alert", id: `${id}-wrong`, hidden: true });
  const text = h("input", { type: "text", id, name: "where", class: "where", placeholder: "c_chg_5m>1,v>1000", autocomplete: "off", spellcheck: "false" });
  const control = h("form", { class: "scan-conditions", "aria-label": "Conditions", onsubmit: (event) => { event.preventDefault(); page.set({ where: text.value.trim() }); } },
    list, h("div", { class: "control wide" }, h("label", { for: id }, "where, as the API is asked (all have to hold; enter to ask)"), text), refused);
  const state = { rows: [], fields: [FIRST] };

  const asked = () => state.rows.map(written).filter(Boolean).join(",");
  const take = () => page.set({ where: asked() });
  function paint() {
    fill(list, state.rows.map((row) => line(row, state.fields, take, () => { state.rows = state.rows.filter((each) => each !== row); paint(); take(); })),
      h("button", { type: "button", class: "quiet", onclick: add }, "+ condition"));
  }
  function add() {
    state.rows = [...state.rows, { field: state.fields.includes(FIRST) ? FIRST : state.fields[0], operator: ">", bound: "" }];
    paint();
    [...list.querySelectorAll("input")].at(-1)?.focus();
  }
  text.addEventListener("change", () => page.set({ where: text.value.trim() }));
  control.offer = (fields) => {
    if (fields.join() === state.fields.join()) return;
    state.fields = fields;
    if (!list.contains(document.activeElement)) paint();
  };
  control.wrong = (why) => {
    refused.hidden = !why;
    fill(refused, sentence(why ?? ""));
    if (why) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
    if (why) text.setAttribute("aria-describedby", refused.id);
    else text.removeAttribute("aria-describedby");
  };
  page.sync(() => {
    const where = page.params.where ?? "";
    const other = where !== asked();
    if (other) state.rows = read(where);
    if (other || !list.childElementCount) paint();
    if (document.activeElement !== text) text.value = where;
  });
  return control;
}

/** A text as conditions; what is none is kept as it is, so that the API says why. */
const read = (text) => text.split(",").filter((each) => each.trim()).map((each) => {
  const found = CONDITION.exec(each);
  return found ? { field: found[1], operator: found[2], bound: found[3] } : { raw: each };
});

const written = ({ raw, field, operator, bound }) => raw ?? (bound === "" ? "" : `${field}${operator}${bound}`);

function line(row, fields, take, drop) {
  const remove = h("button", { type: "button", class: "quiet", "aria-label": `Remove ${written(row) || "this condition"}`, onclick: drop }, "×");
  if (row.raw) return h("span", { class: "condition" }, h("code", {}, row.raw), remove);
  const offered = fields.includes(row.field) ? fields : [row.field, ...fields];
  const field = h("select", { "aria-label": "Field", onchange: () => { row.field = field.value; take(); } }, offered.map((each) => h("option", { value: each }, each)));
  const operator = h("select", { "aria-label": "Operator", onchange: () => { row.operator = operator.value; take(); } }, OPERATORS.map((each) => h("option", { value: each }, each)));
  const bound = h("input", { "aria-label": "Value", value: row.bound, size: 7, placeholder: "number", autocomplete: "off", onchange: () => { row.bound = bound.value.trim().replaceAll(",", ""); take(); } });
  field.value = row.field;
  operator.value = row.operator;
  return h("span", { class: "condition" }, field, operator, bound, remove);
}
