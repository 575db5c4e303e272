/** Rows that were refused, and things nobody is sure what they are. */

import { search, toolbar } from "../../controls.js";
import { fill, h } from "../../dom.js";
import { MISSING, number, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { ago, tick } from "../../ticking.js";

const MOST = 1000;
const filters = (page, second, label) => toolbar(search(page, "source", "Source", { wait: 300, placeholder: "all" }), search(page, second, label, { wait: 300, placeholder: "all" }));

const REJECTS = [
  { name: "source", head: "Source", text: true },
  { name: "dataset", head: "Dataset", text: true },
  { name: "code", head: "Code", text: true, show: ({ code }) => h("code", {}, code) },
  { name: "symbol", head: "Symbol", text: true },
  { name: "reason", head: "Reason", unit: "of the last", text: true, long: true },
  { name: "count", head: "Rows", show: (row) => number(row.count) },
  { name: "first_seen", head: "First", instant: true, unit: "UTC", show: (row) => time(row.first_seen) },
  { name: "last_seen", head: "Last", instant: true, unit: "ago", show: (row) => ago(row.last_seen) },
];

export const rejects = {
  title: "Rejects",
  open({ page, root, every }) {
    const found = table({ caption: "Rows that were refused, by reason; the last first", columns: REJECTS, file: "rejects", key: ({ id }) => id });
    const place = piece(page, found);
    fill(root, filters(page, "dataset", "Dataset"), place);
    tick(root, every);
    return () => place.ask("/quality/rejects", { source: page.params.source, dataset: page.params.dataset, order: "desc", limit: MOST },
      ({ rows }) => found.rows(rows, "No row was refused: all that came could be stored."));
  },
};

const UNMAPPED = [
  { name: "source", head: "Source", text: true },
  { name: "source_id", head: "Id there", text: true },
  { name: "source_id_type", head: "Kind of id", text: true },
  { name: "name", head: "Name", text: true },
  { name: "ticker", head: "Ticker", text: true },
  { name: "reason", head: "Why it is nobody's", text: true, long: true },
  { name: "candidates", head: "May be", text: true, long: true, value: ({ candidates }) => candidates.length, show: ({ candidates }) => hints(candidates) },
  { name: "first_seen", head: "First listed", instant: true, unit: "UTC", show: (row) => time(row.first_seen) },
  { name: "seen_at", head: "Last listed", instant: true, unit: "ago", show: (row) => ago(row.seen_at) },
];

const hints = (candidates) => (candidates.length
  ? candidates.map((each, place) => h("span", { title: each.why }, place ? ", " : null, `${each.name} (${each.symbol}, ${each.canonical_id})`))
  : MISSING);

export const unmapped = {
  title: "Unmapped",
  open({ page, root, every }) {
    const found = table({ caption: `What sources list and nobody is sure what it is (up to ${MOST})`, columns: UNMAPPED, file: "unmapped",
      key: (row) => [row.source, row.source_id_type, row.source_id].join(":") });
    const place = piece(page, found);
    fill(root, filters(page, "q", "Part of an id, name or ticker"), place,
      h("p", { class: "missing" }, h("code", {}, "POST /entities/{asset}/source-ids"), " says whose an id is; nothing is lost meanwhile: it is stored as it came."));
    tick(root, every);
    return () => place.ask("/quality/unmapped", { source: page.params.source, q: page.params.q, limit: MOST },
      ({ rows }) => found.rows(rows, page.params.q || page.params.source ? "Nothing here is like that." : "All that sources list is known."));
  },
};
