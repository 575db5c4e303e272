/** Where two sources tell one fact differently. */

import { choose, moment, numeric, pick, search, toolbar } from "../../controls.js";
import { fill, h, sentence } from "../../dom.js";
import { elsewhere } from "../../empty.js";
import { number, percent, time } from "../../format.js";
import { piece } from "../../places.js";
import { spanned } from "../../span.js";
import { table } from "../../table.js";

const MOST = 2000;
const COLUMNS = [
  { name: "asset", head: "Asset", text: true },
  { name: "time", head: "Time", instant: true, unit: "UTC", show: (row) => time(row.time) },
  { name: "dataset", head: "Dataset", text: true },
  { name: "field", head: "Field", text: true },
  { name: "exchange", head: "Exchange", text: true },
  { name: "instrument", head: "Instrument", text: true },
  { name: "source", head: "Preferred source", text: true, about: "Answers are from it" },
  { name: "value", head: "says", show: (row) => number(row.value) },
  { name: "other_source", head: "Other source", text: true },
  { name: "other_value", head: "says", show: (row) => number(row.other_value) },
  { name: "unit", head: "Unit", text: true },
  { name: "difference", head: "Difference", unit: "other − preferred, in the unit", show: (row) => number(row.difference) },
  { name: "relative_difference", head: "Relative", unit: "%", show: (row) => percent(row.relative_difference, 2) },
  { name: "tolerance", head: "Tolerance", unit: "%", show: (row) => percent(row.tolerance, 2) },
];

export const disagreements = {
  title: "Disagreements",
  open({ page, root }) {
    const found = table({ caption: "Two sources of one fact that differ by more than the tolerance", columns: COLUMNS, file: "disagreements", sorted: "asset",
      key: (row) => [row.time, row.dataset, row.exchange, row.instrument, row.field, row.source, row.other_source].join(":") });
    const of = h("p", { class: "missing" });
    const place = piece(page, of, found);
    fill(root, controls(page), place);
    return () => {
      const { asset, exchange, dataset, source, tolerance, start, end } = page.params;
      const asked = { asset, exchange, dataset, source, tolerance, start, end, order: "desc", limit: MOST };
      return place.ask("/quality/disagreements", asked, async ({ rows, meta }) => {
        fill(of, spanned(meta), meta.notices.filter((notice) => notice.startsWith("listed")).map((notice) => [": ", sentence(notice)]));
        found.rows(rows, "No two sources of one fact differ by more than that in this window.");
        if (rows.length) return;
        const way = await elsewhere(page, 7);
        if (way) found.rows([], ["No two sources of one fact differ by more than that in this window.", way]);
      });
    };
  },
};

function controls(page) {
  const datasets = ["funding", "predicted", "open-interest", "candles"].map((name) => [name, name]);
  return toolbar(pick(page, "asset", "Asset", { placeholder: "all" }), pick(page, "exchange", "Exchange", { placeholder: "all" }),
    choose(page, "dataset", "Dataset", [["", "all"], ...datasets]), search(page, "source", "Source", { wait: 300, placeholder: "all" }),
    numeric(page, "tolerance", "Tolerance", { min: 0, placeholder: "as usual", note: "relative difference as a fraction, 0 to 2, beyond which to list" }),
    moment(page, "start", "From", { note: "UTC; empty: 24 hours before the end" }), moment(page, "end", "To"));
}
