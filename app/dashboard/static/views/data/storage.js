/** What is stored takes how much, grows how fast, is kept how long; and when the disk is full. */

import { fill, h, sentence } from "../../dom.js";
import { MISSING, age, compact, day, number, size } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";

const EVERY = 60_000;
const bytes = (value) => (value === null ? MISSING : h("span", { title: `${number(value)} bytes` }, size(value)));
const sized = (name, head, about) => ({ name, head, about, show: (row) => bytes(row[name]) });

const COLUMNS = [
  { name: "table", head: "Table", text: true },
  sized("bytes", "Size", "With its indexes"), sized("index_bytes", "Indexes", "Part of the size"),
  { name: "rows_estimated", head: "Rows", unit: "about", show: (row) => h("span", { title: number(row.rows_estimated) }, compact(row.rows_estimated)), about: "As the planner estimates" },
  { ...sized("bytes_per_day", "Grows", "By the last days that ended; a dash: it is not cut by time, or no day has ended yet"), unit: "a day" },
  { name: "retention_days", head: "Kept", unit: "days", show: (row) => row.retention_days ?? "for ever" },
  sized("settles_at_bytes", "Settles at", "What it comes to by retention; a dash: it is kept for ever"),
  { name: "removed_before", head: "Removed before", instant: true, unit: "UTC", show: (row) => day(row.removed_before) },
  { name: "partitions", head: "Partitions" },
  { name: "first_partition", head: "Oldest", instant: true, unit: "UTC", show: (row) => day(row.first_partition) },
  { name: "last_partition", head: "Newest", instant: true, unit: "UTC", show: (row) => day(row.last_partition) },
  { name: "compressed_partitions", head: "Compressed", unit: "partitions" },
  sized("compressed_bytes", "Compressed to"), sized("bytes_before_compression", "from"),
];

export const storage = {
  title: "Storage",
  keyed: true,
  open({ page, root, every }) {
    const ahead = h("div", { id: "forecast" });
    const found = table({ caption: "Size of each table", columns: COLUMNS, sorted: "-bytes", file: "storage", key: (row) => row.table });
    const [above, below] = [piece(page, ahead), piece(page, found)];
    fill(root, above, below);
    const ask = () => Promise.all([
      above.ask("/admin/storage/forecast", {}, ({ rows, meta }) => fill(ahead, forecast(rows[0], meta.notices))),
      below.ask("/admin/storage", {}, ({ rows }) => found.rows(rows)),
    ]);
    every(EVERY, ask);
    return ask;
  },
};

const card = (name, ...value) => h("div", { class: "card" }, h("dt", {}, name), h("dd", {}, value));

function forecast(row, notices) {
  const { disk_total_bytes: total, disk_used_bytes: used, disk_free_bytes: free, full_in_days: days } = row;
  return [
    h("dl", { class: "cards" }, card("Database", bytes(row.database_bytes)), card("Grows a day by", bytes(row.bytes_per_day)),
      card("Settles at", bytes(row.settles_at_bytes)), card("Disk free", bytes(free)), card("Disk is full in", full(days))),
    total === null ? null : h("p", {}, h("label", { for: "disk" }, `Disk: ${size(used)} of ${size(total)} used, ${size(free)} free`),
      h("progress", { id: "disk", max: total, value: used })),
    notices.filter((notice) => /disk|a day/.test(notice)).map((notice) => h("p", { class: "missing" }, sentence(notice))),
  ];
}

const full = (days) => (days === null ? h("span", { title: "Never at this pace, or not known" }, MISSING) : h("span", { title: `${number(days)} days` }, age(days * 86_400)));
