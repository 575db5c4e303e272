/** Tables that can be sorted by any column and taken home as CSV. */

import { download, fill, h, say } from "./dom.js";
import { MISSING, csv, stamp } from "./format.js";

/**
 * @typedef {Object} Column
 * @property {string} name field of a row; also its name in the CSV
 * @property {string} head what stands above it; `unit` under it
 * @property {string} [unit] @property {(row: Object) => Node|string} [show] @property {(row: Object) => any} [value] to sort by
 * @property {boolean} [instant] of times in milliseconds, for which the CSV has RFC 3339 @property {boolean} [buttons] not in the CSV
 * @property {boolean} [text] of words, not numbers @property {boolean} [long] of sentences, which may be broken @property {string} [about] what it means
 */

/**
 * A table. `sorted`: name of the column it is sorted by at first, with "-" before it for the largest first.
 * `key`: what names a row (its `data-key`): rows told again then stay, and only the cells that differ are made anew.
 * `rows(rows, why)` shows rows; `why`: what to say where there are none. `sort(sorted)` orders them anew ("": as they come),
 * `narrow(wanted)` shows those of them that are wanted (null: all): neither makes what was there anew.
 * @param {{caption: string, columns: Column[], sorted?: string, empty?: Node|string, file?: string, onsort?: (name: string) => void,
 *   key?: (row: Object) => string|number}} about
 * @returns {HTMLElement & {rows: (rows: Object[], why?: Node|string|Array) => void, sort: (sorted: string) => void,
 *   narrow: (wanted: ((row: Object) => boolean)|null) => void}}
 */
export function table({ caption, columns, sorted = "", empty = "Nothing here.", file = null, onsort = null, key = null }) {
  const state = { rows: [], lines: new Map(), wanted: null, by: sorted.replace(/^-/, ""), down: sorted.startsWith("-") };
  const body = h("tbody");
  const heads = columns.map((column) => head(column, () => {
    state.down = state.by === column.name ? !state.down : !column.text;
    state.by = column.name;
    paint();
    onsort?.((state.down ? "-" : "") + state.by);
    say(`sorted by ${column.head}, ${state.down ? "largest" : "smallest"} first`);
  }));
  const nothing = h("p", { class: "empty", hidden: true }, empty);
  const take = file && h("button", { type: "button", class: "quiet", onclick: save }, "CSV");
  const box = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, h("span", {}, caption), take), h("thead", {}, h("tr", {}, heads)), body));
  const made = h("div", { class: "table" }, box, nothing);

  const wanted = () => (state.wanted ? state.rows.filter(state.wanted) : state.rows);
  const line = (row) => h("tr", { "data-key": key?.(row) }, columns.map((each, place) => cell(each, row, place)));
  function paint() {
    const column = columns.find(({ name }) => name === state.by);
    const rows = column ? ordered(wanted(), column, state.down) : wanted();
    const lines = renew(body, rows.map((row) => state.lines.get(row) ?? line(row)));
    rows.forEach((row, place) => state.lines.set(row, lines[place]));
    heads.forEach((th, place) => mark(th, columns[place].name === state.by, state.down));
    nothing.hidden = rows.length > 0;
  }
  function save() {
    const told = columns.filter(({ buttons }) => !buttons);
    const rows = wanted().map((row) => told.map(({ name, instant }) => (instant ? stamp(row[name]) : row[name])));
    download(`${file}.csv`, "text/csv", csv(told.map(({ name }) => name), rows));
  }
  made.sort = (wanted) => {
    [state.by, state.down] = [wanted.replace(/^-/, ""), wanted.startsWith("-")];
    paint();
  };
  made.narrow = (those) => {
    if (those === state.wanted) return;
    state.wanted = those;
    paint();
  };
  made.rows = (rows, why = empty) => {
    state.rows = rows;
    state.lines = new Map();
    fill(nothing, why);
    paint();
  };
  return made;
}

/**
 * Have these rows; one with the same key stays in the page, so that what is in it keeps the focus. Gives those that are there:
 * as many as were given, also where keys are equal.
 */
function renew(body, rows) {
  if (!rows.some(({ dataset }) => dataset.key)) {
    fill(body, rows);
    return rows;
  }
  const staying = new Set(rows);
  const known = new Map([...body.children].filter((row) => row.dataset.key && !staying.has(row)).map((row) => [row.dataset.key, row]));
  const focused = focusIn(body);
  let place = body.firstChild;
  const shown = rows.map((row) => {
    if (row.parentNode === body) return row;
    const old = known.get(row.dataset.key);
    known.delete(row.dataset.key);
    return patched(old, row);
  });
  for (const wanted of shown) {
    if (wanted === place) place = place.nextSibling;
    else body.insertBefore(wanted, place);
  }
  while (place) {
    const old = place;
    place = place.nextSibling;
    old.remove();
  }
  focused();
  return shown;
}

/** Remember what has the focus in rows; what this gives brings it back there, or to what stands for it now. */
function focusIn(body) {
  const active = body.contains(document.activeElement) ? document.activeElement : null;
  const inside = (row) => [...(row?.querySelectorAll("a, button, input") ?? [])];
  const of = active?.closest("tr");
  const at = inside(of).indexOf(active);
  return () => {
    if (!active || active === document.activeElement) return;
    const row = [...body.children].find(({ dataset }) => dataset.key === of?.dataset.key);
    (active.isConnected ? active : inside(row)[at])?.focus({ preventScroll: true });
  };
}

function patched(old, fresh) {
  if (!old || old === fresh) return fresh;
  [...fresh.children].forEach((cell, at) => { if (!cell.isEqualNode(old.children[at])) old.children[at].replaceWith(cell); });
  return old;
}

function head(column, sort) {
  const unit = column.unit ? h("small", {}, column.unit) : null;
  const button = h("button", { type: "button", title: column.about, onclick: sort }, column.head, unit);
  return h("th", { scope: "col", class: column.text ? "words" : null }, button);
}

/** Say of a head whether, and how, the rows are sorted by it. */
export function mark(th, is, down) {
  if (is) th.setAttribute("aria-sort", down ? "descending" : "ascending");
  else th.removeAttribute("aria-sort");
}

function cell(column, row, place) {
  const shown = column.show ? column.show(row) : (row[column.name] ?? MISSING);
  const kind = place === 0 ? "th" : "td";
  return h(kind, { scope: place === 0 ? "row" : null, class: column.text ? `words${column.long ? " long" : ""}` : null }, shown);
}

/** Rows in order of a column; those that have nothing there are last, whichever way. */
export function ordered(rows, column, down) {
  const value = column.value ?? ((row) => row[column.name]);
  const absent = (found) => found === null || found === undefined;
  return [...rows].sort((left, right) => {
    const [a, b] = [value(left), value(right)];
    if (absent(a) || absent(b)) return absent(a) - absent(b);
    const by = typeof a === "string" ? a.localeCompare(b) : a - b;
    return down ? -by : by;
  });
}
