/** How each source stands, why, what to do, and which keys are missing. */

import { fill, h, sentence } from "../../dom.js";
import { MISSING } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { ago, ahead, tick } from "../../ticking.js";

const EVERY = 15_000;
/** How states look, the worst first; the word always stands beside the sign. */
const STATES = { unreachable: ["✕", "wrong"], failing: ["✕", "wrong"], disabled: ["○", "warning"], waiting: ["…", "warning"], off: ["○", "missing"], ok: ["●", "good"] };

const COLUMNS = [
  { name: "name", head: "Source", text: true, show: ({ name, source }) => h("span", { title: source }, name) },
  { name: "state", head: "State", text: true, value: ({ state }) => Object.keys(STATES).indexOf(state), show: ({ state }) => standing(state) },
  { name: "next_step", head: "What to do", text: true, long: true, show: (row) => (row.next_step ? sentence(row.next_step) : MISSING) },
  { name: "reason", head: "Why", text: true, long: true, show: ({ reason }) => (reason ? sentence(reason) : MISSING) },
  { name: "key_setting", head: "Key", text: true, show: keyed },
  { name: "next_at", head: "Asked next", instant: true, show: (row) => ahead(row.next_at) },
  { name: "last_success_at", head: "Last success", instant: true, unit: "ago", show: (row) => ago(row.last_success_at) },
  { name: "last_failure_at", head: "Last failure", instant: true, unit: "ago", show: (row) => ago(row.last_failure_at) },
  { name: "failures", head: "Failures", about: "Pulls that failed, each since the last success of its dataset" },
  { name: "late", head: "Late", unit: "datasets", about: "How many of what it tells are overdue; a dash: it is not pulled here", value: due, show: late },
  { name: "datasets", head: "Datasets", about: "How many it is asked for" },
];

function standing(state) {
  const [sign, kind] = STATES[state] ?? ["?", "missing"];
  return h("span", { class: kind }, `${sign} ${state}`);
}

/** How many datasets are overdue, of a source that is pulled. */
function due({ state, late: overdue }) {
  return state === "off" ? null : overdue;
}

function late(row) {
  return due(row) ?? h("span", { class: "missing", title: "It is not pulled here: nothing is due" }, MISSING);
}

function keyed({ key_setting: setting, key_present: present, state }) {
  if (!setting) return "none needed";
  if (present) return h("span", { class: "good" }, h("code", {}, setting), " ✓ set");
  return h("span", { class: state === "disabled" ? "warning" : "missing" }, h("code", {}, setting), state === "disabled" ? " ✕ not set" : " optional, not set");
}

export const sources = {
  title: "Sources",
  open({ page, root, every }) {
    const found = table({ caption: "How each source stands", columns: COLUMNS, sorted: "state", file: "sources", key: ({ source }) => source });
    const counts = h("dl", { class: "cards", id: "source-states" });
    const place = piece(page, counts, found);
    fill(root, place);
    const ask = () => place.ask("/quality/sources", {}, ({ rows }) => {
      found.rows(rows, "No source is known.");
      const states = Object.keys(STATES).filter((each) => rows.some(({ state }) => state === each));
      fill(counts, states.map((each) => h("div", { class: "card" }, h("dt", {}, standing(each)), h("dd", {}, rows.filter(({ state }) => state === each).length))));
    });
    every(EVERY, ask);
    tick(root, every);
    return ask;
  },
};
