/** Walking about in a table by keys, pointer or touch: one of its cells is in the order of tabs, arrows go to the others. */

const KEYS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -Infinity], End: [0, Infinity] };

/**
 * Have `tell(cell)` called for the cell that is pointed at or has the focus. Gives what is to be called when rows were
 * moved or hidden: the tab key then comes in by the first that is shown, unless it has a cell still.
 */
export function walk(body, tell) {
  const cellOf = (event) => event.target.closest("td, tbody th");
  const target = (cell) => cell.querySelector("a") ?? cell;
  let told = null;
  let tabbed = null;
  const show = (cell) => {
    if (!cell || cell === told) return;
    told?.removeAttribute("aria-describedby");
    told = cell;
    cell.setAttribute("aria-describedby", "details");
    tell(cell);
  };
  const enter = (cell) => {
    if (tabbed) tabbed.tabIndex = -1;
    tabbed = target(cell);
    tabbed.tabIndex = 0;
    show(cell);
  };
  const go = (cell) => {
    enter(cell);
    tabbed.focus();
  };
  body.addEventListener("pointerover", (event) => show(cellOf(event)));
  body.addEventListener("focusin", (event) => enter(cellOf(event)));
  body.addEventListener("keydown", (event) => {
    const [down, right] = KEYS[event.key] ?? [];
    if (down === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(beside(cellOf(event), down, right));
  });
  body.addEventListener("click", (event) => { if (cellOf(event)) go(cellOf(event)); });
  return () => {
    const first = body.querySelector("tr:not([hidden])");
    if (!first || (tabbed?.isConnected && !tabbed.closest("tr").hidden)) return;
    if (tabbed) tabbed.tabIndex = -1;
    tabbed = target(first.cells[0]);
    tabbed.tabIndex = 0;
  };
}

/** The cell so many rows down and columns right of one, or the last there is. */
function beside(cell, down, right) {
  let row = cell.parentNode;
  const step = down < 0 ? "previousElementSibling" : "nextElementSibling";
  for (let left = Math.abs(down); left > 0; left -= 1) {
    let next = row[step];
    while (next?.hidden) next = next[step];
    if (!next) break;
    row = next;
  }
  return row.cells[Math.min(Math.max(cell.cellIndex + right, 0), row.cells.length - 1)];
}
