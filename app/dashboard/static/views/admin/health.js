/** The live collectors, and what went wrong. */

import { now } from "../../clock.js";
import { choose, moment, search, toolbar } from "../../controls.js";
import { fill, h } from "../../dom.js";
import { reason } from "../../empty.js";
import { MISSING, number, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { ago, growing, tick } from "../../ticking.js";

const MOST = 500;
const CONNECTIONS = { connecting: ["…", "warning"], connected: ["●", "good"], waiting: ["▲", "warning"], closed: ["○", "missing"] };
const PLACES = ["pull", "backfill", "collector", "repair", "retention", "request"];
const pairs = (names) => [["", "all"], ...names.map((name) => [name, name])];

const collectorColumns = (came) => [
  { name: "id", head: "Collector", text: true, show: ({ id, channel }) => h("span", { title: channel }, id) },
  { name: "source", head: "Source", text: true },
  { name: "state", head: "State", text: true, show: ({ state }) => h("span", { class: CONNECTIONS[state]?.[1] }, `${CONNECTIONS[state]?.[0] ?? "?"} ${state}`) },
  { name: "subscriptions", head: "Topics", show: (row) => number(row.subscriptions) },
  { name: "age_s", head: "Last message", unit: "ago", show: (row) => growing(row.age_s, came()) },
  { name: "messages_per_s", head: "Messages", unit: "a second", show: (row) => number(row.messages_per_s) },
  { name: "messages", head: "Messages", show: (row) => number(row.messages) },
  { name: "lag_s", head: "Lag", unit: "seconds", show: (row) => number(row.lag_s), about: "Age of the newest row by the exchange's clock" },
  { name: "dropped", head: "Dropped", show: (row) => number(row.dropped) },
  { name: "reconnects", head: "Reconnects", show: (row) => number(row.reconnects) },
  { name: "updated_at", head: "Told", instant: true, unit: "ago", show: (row) => ago(row.updated_at) },
  { name: "error", head: "Last error", text: true, long: true },
];

export const collectors = {
  title: "Collectors",
  keyed: true,
  open({ page, root, every }) {
    let came = now();
    const found = table({ caption: "Sockets and polls by which minutes and ticks are collected", columns: collectorColumns(() => came), file: "collectors", key: ({ id }) => id });
    const place = piece(page, found);
    fill(root, toolbar(search(page, "source", "Source", { wait: 300, placeholder: "all" }), choose(page, "state", "State", pairs(Object.keys(CONNECTIONS)))), place);
    const ask = () => place.ask("/admin/collectors", { source: page.params.source, state: page.params.state, limit: 5000 }, ({ rows, meta }) => {
      came = now();
      found.rows(rows, reason(meta) ?? "No collector is there.");
    });
    every(5000, ask);
    tick(root, every);
    return ask;
  },
};

const ERRORS = [
  { name: "time", head: "Time", instant: true, unit: "UTC", show: (row) => time(row.time) },
  { name: "place", head: "Part", text: true },
  { name: "source", head: "Source", text: true },
  { name: "dataset", head: "Dataset", text: true },
  { name: "code", head: "Code", text: true, show: ({ code }) => h("code", {}, code) },
  { name: "message", head: "What happened", text: true, long: true },
  { name: "context", head: "About", text: true, long: true, value: ({ id }) => id, show: ({ context }) => Object.entries(context).map(([name, value]) => `${name}: ${plain(value)}`).join(", ") || MISSING },
];

const plain = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

export const errors = {
  title: "Errors",
  keyed: true,
  open({ page, root, every }) {
    const found = table({ caption: `What went wrong in the last 30 days, newest first (up to ${MOST})`, columns: ERRORS, file: "errors", key: ({ id }) => id, empty: "Nothing went wrong." });
    const place = piece(page, found);
    fill(root, toolbar(choose(page, "place", "Part", pairs(PLACES)), search(page, "source", "Source", { wait: 300, placeholder: "all" }),
      moment(page, "since", "Since", { note: "UTC; empty: all that is kept" })), place);
    const ask = () => place.ask("/admin/errors", { place: page.params.place, source: page.params.source, since: page.params.since, order: "desc", limit: MOST }, ({ rows }) => found.rows(rows));
    every(10_000, ask);
    return ask;
  },
};
