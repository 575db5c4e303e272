/** The log of pulls, the newest first. */

import { choose, search, toolbar } from "../../controls.js";
import { fill, h } from "../../dom.js";
import { age, number, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { ago, tick } from "../../ticking.js";

const EVERY = 5000;
const MOST = 500;
const STATES = { running: ["↻", "warning"], succeeded: ["●", "good"], partial: ["▲", "warning"], failed: ["✕", "wrong"] };

/** How a pull or a back-fill went, as a sign and a word. */
export const went = (status) => h("span", { class: STATES[status]?.[1] }, `${STATES[status]?.[0] ?? "○"} ${status}`);

const counted = (name, head, about) => ({ name, head, about, show: (row) => number(row[name]) });
const COLUMNS = [
  { name: "id", head: "Pull" },
  { name: "source", head: "Source", text: true },
  { name: "dataset", head: "Dataset", text: true },
  { name: "status", head: "Status", text: true, show: ({ status }) => went(status) },
  { name: "started_at", head: "Began", instant: true, unit: "ago", show: (row) => ago(row.started_at) },
  { name: "finished_at", head: "Ended", instant: true, unit: "UTC", show: (row) => time(row.finished_at) },
  { name: "duration", head: "Took", show: (row) => h("span", { title: `${row.duration} s` }, age(row.duration)) },
  counted("requests", "Requests"), counted("received", "Received", "Rows"), counted("inserted", "New", "Rows"),
  counted("updated", "Changed", "Rows"), counted("rejected", "Refused", "Rows"),
  { name: "error", head: "Error", text: true, long: true },
];

export const pulls = {
  title: "Pulls",
  keyed: true,
  open({ page, root, every }) {
    const found = table({ caption: `The last pulls, newest first (up to ${MOST})`, columns: COLUMNS, file: "pulls", key: ({ id }) => id });
    const place = piece(page, found);
    fill(root, toolbar(search(page, "source", "Source", { wait: 300, placeholder: "all" }), search(page, "dataset", "Dataset", { wait: 300, placeholder: "all" }),
      choose(page, "status", "Status", [["", "all"], ...Object.keys(STATES).map((name) => [name, name])])), place);
    const ask = () => {
      const { source, dataset, status } = page.params;
      return place.ask("/admin/pulls", { source, dataset, status, order: "desc", limit: MOST }, ({ rows }) => found.rows(rows, nothing()));
    };
    every(EVERY, ask);
    tick(root, every);
    return ask;
  },
};

const nothing = () => ["No such pull. The schedule pulls while ", h("code", {}, "perpstore serve"), " runs; one at once: ",
  h("a", { href: "#/admin?part=jobs" }, "Admin, Jobs"), " or ", h("code", {}, "perpstore pull SOURCE"), "."];
