/** The schedule: what is asked of whom, how it went, when it is due; running, pausing and resuming a job. */

import { search, toolbar } from "../../controls.js";
import { fill, h } from "../../dom.js";
import { MISSING, age, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { ago, ahead, tick } from "../../ticking.js";
import { went } from "../data/pulls.js";
import { unpulled } from "../data/unpulled.js";
import { button, done } from "./done.js";

const EVERY = 3000;

const columns = (actions) => [
  { name: "id", head: "Job", text: true },
  { name: "do", head: "Do", text: true, buttons: true, value: ({ id }) => id, show: actions },
  { name: "last_status", head: "Last result", text: true, show: (row) => (row.last_status ? went(row.last_status) : h("span", { class: "missing" }, "○ none in 7 days")) },
  { name: "last_started_at", head: "Last began", instant: true, unit: "ago", show: (row) => ago(row.last_started_at) },
  { name: "last_finished_at", head: "Last ended", instant: true, unit: "UTC", show: (row) => time(row.last_finished_at) },
  { name: "next_at", head: "Next run", instant: true, show: (row) => next(row) },
  { name: "every_s", head: "Every", show: (row) => age(row.every_s) },
  { name: "last_pull", head: "Pull", about: "Number of the last one" },
  { name: "last_error", head: "What went wrong", text: true, long: true },
];

function next(row) {
  if (row.asked_at !== null) return h("span", { class: "warning", title: `asked for at ${time(row.asked_at)} UTC` }, "asked for");
  if (row.paused) return h("span", { class: "warning" }, "paused");
  return ahead(row.next_at, h("span", { class: "missing", title: "It is not pulled by this process" }, MISSING));
}

export const jobs = {
  title: "Jobs",
  keyed: true,
  open({ page, root, every }) {
    const said = done();
    let all = [];
    const found = table({ caption: "The schedule", columns: columns((row) => actions(row, said, ask)), sorted: "id", file: "jobs", key: ({ id }) => id });
    const off = unpulled(page);
    const place = piece(page, off, found);
    fill(root, toolbar(search(page, "job", "Filter", { placeholder: "part of its name" }), said), place);
    const show = () => found.rows(all.filter(({ id }) => id.includes((page.params.job ?? "").toLowerCase())), "No job is called that.");
    function ask() {
      return place.ask("/admin/jobs", { limit: 5000 }, async ({ rows }) => {
        const without = await off.ask();
        if (!without) return;
        all = rows.map((row) => (without.has(row.source) ? { ...row, next_at: null } : row));
        show();
      });
    }
    every(EVERY, ask);
    tick(root, every);
    return ask;
  },
};

function actions({ id, paused }, said, ask) {
  const run = (verb, words) => async () => { if (await said.run(() => words, "POST", `/admin/jobs/${id}/${verb}`)) await ask(); };
  return h("span", { class: "buttons" }, button("Run", run("run", `${id} was asked to run now`), `Run ${id} now`),
    paused ? button("Resume", run("resume", `${id} is on the schedule again`), `Resume ${id}`)
      : button("Pause", run("pause", `${id} is paused`), `Pause ${id}`));
}
