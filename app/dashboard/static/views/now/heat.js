/**
 * The heat map: a table whose rows and cells are made once, then only changed, moved and hidden. Rows out of sight are not
 * laid out (see the style), for which they are grids: so each element says its role in the table itself.
 */

import { fill, h, say } from "../../dom.js";
import { MISSING, PER, countdown, counted, rate, usd } from "../../format.js";
import { mark, ordered } from "../../table.js";
import { walk } from "./grid.js";
import { clock, isStale, shown, spread } from "./market.js";

const HOTTEST = { "1h": 0.00005, "8h": 0.0004, "1y": 0.45 };
const FRESH = 1800;
const NONE = {
  settled: "No settlement is stored", predicted: "No estimate is known", next: "No rate is in force",
  held: "No rate is in force of which the open interest is known",
};
const FIXED = [
  { name: "asset", head: "Asset", text: true, about: "Follow a name to its funding over time", value: (line) => line.asset },
  { name: "oi", head: "OI", unit: "USD", about: "Open interest of the contracts in the weighted mean", value: (line) => line.mean?.oi_usd },
  { name: "weighted", head: "OI-weighted", unit: "settled", about: "Mean of the rates in force, weighted by open interest in USD", value: (line) => line.mean?.rate },
  { name: "spread", head: "Spread", unit: "max − min", about: "Highest less lowest rate in the mean", value: (line) => spread(line.mean) },
  { name: "next", head: "Next", unit: "h:mm:ss", about: "Until the first of its contracts settles", value: (line) => line.mean?.next_time },
];

/**
 * A heat map of these lines. `tell(line, exchange)` is called for the cell somebody points at; exchange is null for what
 * is of all of them. `onsort(sort)`: a head was pressed. `words()` are those of the address.
 */
export function heatmap({ lines, exchanges, words, link, tell, onsort }) {
  const columns = [...FIXED, ...exchanges.map((name) => ({ name, head: name, about: `The main contract of ${name}`, value: (line) => shown(line.told.get(name)?.[0], words().kind) }))];
  const heads = columns.map((column) => head(column, () => onsort(turned(column))));
  const body = h("tbody", { role: "rowgroup" });
  const title = h("span");
  const caption = h("caption", {}, title);
  const grid = h("table", { class: "heat", role: "grid" }, caption, h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)), body);
  grid.style.setProperty("--columns", columns.length - 1);
  const box = h("div", { class: "scroll", role: "region", "aria-label": "Funding by asset and exchange" }, grid);
  const made = { box, exchanges };
  const all = [...lines.values()];
  all.forEach(add);
  const enterable = walk(body, (cell) => tell(lines.get(cell.parentNode.dataset.asset), columns[cell.cellIndex]?.name, cell));

  function add(line) {
    const name = h("th", { scope: "row", role: "rowheader" }, h("a", { href: link(line.asset), tabindex: -1 }, line.asset));
    line.cells = [name, ...columns.slice(1).map(() => h("td", { role: "gridcell" }, ""))];
    line.row = h("tr", { role: "row", dataset: { asset: line.asset } }, line.cells);
  }
  function turned({ name, text }) {
    const { sort } = words();
    if (sort.replace(/^-/, "") !== name) return text ? name : `-${name}`;
    return sort.startsWith("-") ? name : `-${name}`;
  }
  /** Write what a line tells into its cells; gives those that changed. */
  function write(line) {
    const { kind, per } = words();
    const now = clock(words());
    const [, oi, weighted, wide, next] = line.cells;
    const { oi_usd: held, rate: mean = null } = line.mean ?? {};
    const changed = [put(oi, usd(held), NONE.held), put(weighted, rate(mean, per), NONE.held, mean, per), put(wide, rate(spread(line.mean), per), NONE.held)];
    put(next, due(line.mean, now), NONE.next);
    exchanges.forEach((name, place) => {
      const contract = line.told.get(name)?.[0];
      const value = shown(contract, kind);
      const cell = line.cells[FIXED.length + place];
      const stale = value !== null && isStale(contract, now);
      changed.push(put(cell, rate(value, per), NONE[kind], stale ? null : value, per));
      cell.classList.toggle("stale", stale);
      cell.classList.toggle("many", (line.told.get(name)?.length ?? 0) > 1);
    });
    return changed.filter(Boolean);
  }
  made.write = () => all.forEach((line) => write(line));
  made.sort = () => {
    const { sort } = words();
    const [by, down] = [sort.replace(/^-/, ""), sort.startsWith("-")];
    const column = columns.find(({ name }) => name === by) ?? columns[1];
    fill(body, ordered(ordered(all, columns[0], false), column, down).map(({ row }) => row));
    heads.forEach((th, place) => mark(th, columns[place] === column, down));
    say(`sorted by ${column.head}, ${down ? "largest" : "smallest"} first`);
  };
  /** Show the rows these words leave; how many there are. */
  made.filter = () => {
    const [part, least] = [words().q.toLowerCase(), Number(words().min_oi || 0)];
    let left = 0;
    for (const line of all) {
      const hidden = !line.asset.toLowerCase().includes(part) || (least > 0 && !((line.mean?.oi_usd ?? 0) >= least));
      if (line.row.hidden !== hidden) line.row.hidden = hidden;
      left += hidden ? 0 : 1;
    }
    enterable();
    return left;
  };
  made.entitle = (left, at) => {
    const { kind, per } = words();
    title.textContent = `${kind === "predicted" ? "Predicted" : "Settled"} funding, % per ${PER[per]}: ${left} of ${counted(all.length, "asset")}, as of ${at} UTC`;
  };
  /** Take newer lines in, and mark what changed. False where there is no row or column for something. */
  made.patch = (fresh) => {
    for (const { asset, told } of fresh.values()) {
      if (!lines.has(asset) || [...told.keys()].some((name) => !exchanges.includes(name))) return false;
    }
    for (const { asset, mean, told } of fresh.values()) {
      const line = Object.assign(lines.get(asset), { mean, told });
      write(line).forEach(freshen);
    }
    return true;
  };
  made.tick = () => {
    const now = clock(words());
    for (const line of all) if (!line.row.hidden) put(line.cells[4], due(line.mean, now), NONE.next);
  };
  return made;
}

function head(column, press) {
  const unit = column.unit ? h("small", {}, column.unit) : null;
  return h("th", { scope: "col", role: "columnheader", class: column.text ? "words" : null }, h("button", { type: "button", title: column.about, onclick: press }, column.head, unit));
}

/** What is written in a cell already: text, reason and value. */
const written = new WeakMap();

/** Write a text (`why`: where it is missing), and the colour of a rate, where any of them is another one; the cell where it is the text. */
function put(cell, text, why, value = null, per = "8h") {
  const missing = text === MISSING;
  const told = [text, missing ? why : "", value, per].join("|");
  if (written.get(cell) === told) return null;
  written.set(cell, told);
  const [words] = cell.childNodes;
  const same = words.data === text;
  if (!same) words.data = text;
  cell.classList.toggle("missing", missing);
  cell.title = missing ? why : "";
  const sign = value === null ? "" : value > 0 ? "plus" : value < 0 ? "minus" : "";
  if (sign) cell.style.setProperty("--heat", heat(value, per));
  if ((cell.dataset.sign ?? "") !== sign) cell.dataset.sign = sign;
  return same ? null : cell;
}

/** How strong the colour of a rate is, from 0 to 0.5: by the root of its size, so that ordinary rates differ too. */
const heat = (value, per) => (0.5 * Math.min(1, Math.sqrt(Math.abs(value) / HOTTEST[per]))).toFixed(2);

function due(mean, now) {
  if (!mean?.next_time) return MISSING;
  return mean.next_time <= now ? "due" : countdown(mean.next_time, now);
}

function freshen(cell) {
  cell.classList.add("fresh");
  setTimeout(() => cell.classList.remove("fresh"), FRESH);
}
