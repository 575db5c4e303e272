/** The ledger of gaps: what is missing, why, and when it is asked for again. */

import { choose, moment, pick, search, toolbar } from "../../controls.js";
import { fill, h } from "../../dom.js";
import { reason } from "../../empty.js";
import { age, number, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { ago, ahead, tick } from "../../ticking.js";

const EVERY = 30_000;
const MOST = 1000;
const STATES = { open: ["▲", "warning"], repairing: ["↻", "warning"], repaired: ["●", "good"], unfillable: ["✕", "missing"] };
const REASONS = {
  outage: "outage: it was not there when it was due", not_fetched_yet: "not fetched yet: the schedule brings it",
  not_listed: "not listed: the contract did not trade yet", upstream_keeps_no_more: "upstream keeps no more: it cannot be had from there",
};
const DATASETS = ["candles_1m", "open_interest", "predicted_funding", "long_short", "taker_volume", "liquidations", "quotes", "trades", "book"];

const standing = (state) => h("span", { class: STATES[state]?.[1] }, `${STATES[state]?.[0] ?? "?"} ${state}`);
const reasoned = (reason) => h("span", { title: REASONS[reason] }, reason.replaceAll("_", " "));
const lasting = (minutes) => h("span", { title: `${number(minutes)} minutes` }, age(minutes * 60));

const COLUMNS = [
  { name: "asset", head: "Asset", text: true },
  { name: "exchange", head: "Exchange", text: true },
  { name: "instrument", head: "Instrument", text: true },
  { name: "dataset", head: "Dataset", text: true },
  { name: "source", head: "Source", text: true },
  { name: "from", head: "From", instant: true, unit: "UTC", show: (row) => time(row.from) },
  { name: "to", head: "To", instant: true, unit: "UTC", show: (row) => time(row.to) },
  { name: "minutes", head: "Length", show: ({ minutes }) => lasting(minutes) },
  { name: "state", head: "State", text: true, show: ({ state }) => standing(state) },
  { name: "reason", head: "Reason", text: true, show: ({ reason }) => reasoned(reason) },
  { name: "attempts", head: "Attempts" },
  { name: "next_try_at", head: "Tried again", instant: true, show: (row) => ahead(row.next_try_at), about: "When it is asked for again, at the earliest; a dash: it is not open" },
  { name: "settled_at", head: "Settled", instant: true, unit: "ago", show: (row) => ago(row.settled_at), about: "When it was repaired or given up" },
  { name: "detail", head: "Detail", text: true, long: true },
];
const SUMS = [
  { name: "state", head: "State", text: true, show: ({ state }) => standing(state) },
  { name: "reason", head: "Reason", text: true, show: ({ reason }) => REASONS[reason] ?? reason },
  { name: "gaps", head: "Gaps", show: (row) => number(row.gaps) },
  { name: "minutes", head: "Together", show: ({ minutes }) => lasting(minutes) },
  { name: "next_try_at", head: "First tried again", instant: true, show: (row) => ahead(row.next_try_at) },
];

export const gaps = {
  title: "Gaps",
  open({ page, root, every }) {
    const sums = table({ caption: "How many gaps, by state and reason", columns: SUMS, key: (row) => `${row.state}:${row.reason}`, empty: "None." });
    const found = table({ caption: `Gaps, those that begin last first (up to ${MOST})`, columns: COLUMNS, file: "gaps", key: ({ id }) => id });
    const [above, below] = [piece(page, sums), piece(page, found)];
    fill(root, controls(page), above, below);
    const ask = () => {
      const asked = words(page.params);
      return Promise.all([
        above.ask("/quality/gaps/summary", asked, ({ rows, meta }) => sums.rows(rows, reason(meta) ?? "None.")),
        below.ask("/quality/gaps", { ...asked, order: "desc", limit: MOST }, ({ rows, meta }) => found.rows(rows, why(meta))),
      ]);
    };
    every(EVERY, ask);
    tick(root, every);
    return ask;
  },
};

const words = ({ asset, exchange, dataset, source, state, reason, start, end }) => ({ asset, exchange, dataset, source, state, reason, start, end });

const why = (meta) => [reason(meta) ?? "No gap.", " The ledger is of minutes and ticks of contracts; ",
  h("a", { href: "#/data?part=coverage" }, "coverage"), " counts hours and settlements too."];

function controls(page) {
  const all = (names) => [["", "all"], ...names.map((name) => [name, name.replaceAll("_", " ")])];
  return toolbar(pick(page, "asset", "Asset", { placeholder: "all" }), pick(page, "exchange", "Exchange", { placeholder: "all" }),
    choose(page, "dataset", "Dataset", all(DATASETS)), search(page, "source", "Source", { wait: 300, placeholder: "all" }),
    choose(page, "state", "State", all(Object.keys(STATES))), choose(page, "reason", "Reason", all(Object.keys(REASONS))),
    moment(page, "start", "From", { note: "UTC; empty: from the beginning" }), moment(page, "end", "To"));
}
