/** How old the newest fact of each dataset of each source is; those that are late first. */

import { now } from "../../clock.js";
import { search, toolbar } from "../../controls.js";
import { fill, h } from "../../dom.js";
import { reason } from "../../empty.js";
import { MISSING, age, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { ago, growing, tick } from "../../ticking.js";
import { unpulled } from "./unpulled.js";

const EVERY = 30_000;

function columns(came) {
  return [
    { name: "source", head: "Source", text: true },
    { name: "dataset", head: "Dataset", text: true },
    { name: "late", head: "Late", text: true, value: ({ late }) => (late === null ? null : Number(!late)), show: ({ late }) => told(late),
      about: "Overdue by two pulls, or not there at all; a dash: this process does not pull it, so nothing is due" },
    { name: "age_s", head: "Age", unit: "newest", show: ({ age_s: seconds }) => growing(seconds, came()) },
    { name: "expected_every_s", head: "Due every", show: ({ expected_every_s: seconds }) => age(seconds) },
    { name: "newest", head: "Newest", instant: true, unit: "UTC", show: ({ newest }) => time(newest) },
    { name: "series", head: "Series", unit: "contracts" },
    { name: "pulled_at", head: "Pulled", instant: true, unit: "ago", show: (row) => ago(row.pulled_at, "never") },
  ];
}

function told(late) {
  if (late === null) return h("span", { class: "missing", title: "It is not pulled by this process, so nothing of it is due" }, MISSING);
  return late ? h("strong", { class: "wrong" }, "▲ late") : h("span", { class: "good" }, "● in time");
}

export const freshness = {
  title: "Freshness",
  open({ page, root, every }) {
    let came = now();
    const found = table({ caption: "Age of the newest fact of each dataset", columns: columns(() => came), sorted: "late", file: "freshness",
      key: ({ source, dataset }) => `${source}:${dataset}` });
    const off = unpulled(page);
    const place = piece(page, off, found);
    fill(root, toolbar(search(page, "source", "Source", { wait: 300, placeholder: "all", note: "one or several, by commas" }),
      search(page, "dataset", "Dataset", { wait: 300, placeholder: "all", note: "one or several, by commas" })), place);
    const ask = () => place.ask("/quality/freshness", { source: page.params.source, dataset: page.params.dataset, limit: 5000 }, async ({ rows, meta }) => {
      came = now();
      const without = await off.ask();
      if (!without) return;
      found.rows(rows.map((row) => (without.has(row.source) ? { ...row, late: null } : row)), reason(meta) ?? "Nothing is stored of this, and nothing of it is scheduled.");
    });
    every(EVERY, ask);
    tick(root, every);
    return ask;
  },
};
