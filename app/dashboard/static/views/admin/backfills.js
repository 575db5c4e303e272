/** History on order: what is asked for, how far it has come, stopping it and going on with it. */

import { confirmed } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { MISSING, day, number, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { ahead, tick } from "../../ticking.js";
import { button, done } from "./done.js";
import { order } from "./order.js";

const MOST = 200;
const SOON = 1000;
const SELDOM = 15_000;
const UNDER_WAY = ["queued", "running", "cancelling"];
const STATES = {
  queued: ["…", "warning"], running: ["↻", "warning"], cancelling: ["…", "warning"], cancelled: ["○", "missing"],
  succeeded: ["●", "good"], partial: ["▲", "warning"], failed: ["✕", "wrong"],
};

const underWay = ({ state }) => UNDER_WAY.includes(state);

function progress(row) {
  const { id, windows_done: finished, windows_planned: planned, windows_failed: failed } = row;
  const text = `${number(finished)} of ${number(planned)} windows${failed ? `, ${number(failed)} failed` : ""}`;
  return [h("progress", { max: Math.max(planned, 1), value: finished, "aria-label": `Back-fill ${id}: ${text}` }), h("span", { class: "told" }, text)];
}

const counted = (name, head, about) => ({ name, head, about, unit: "rows", show: (row) => number(row[name]) });

const columns = (actions) => [
  { name: "id", head: "Back-fill" },
  { name: "state", head: "State", text: true, show: ({ state }) => h("span", { class: STATES[state]?.[1] }, `${STATES[state]?.[0] ?? "?"} ${state}`) },
  { name: "windows_done", head: "Progress", text: true, show: progress },
  { name: "eta", head: "Done", instant: true, show: (row) => (underWay(row) ? ahead(row.eta, "not known yet") : time(row.finished_at)), about: "When it will be done at the pace so far; of what has ended: when that was" },
  { name: "do", head: "Do", text: true, buttons: true, value: ({ id }) => id, show: (row) => actions(row) },
  { name: "source", head: "Source", text: true },
  { name: "datasets", head: "Datasets", text: true, long: true, show: (row) => row.datasets.join(", ") },
  { name: "assets", head: "Assets", text: true, show: (row) => row.assets.join(", ") || "all" },
  { name: "exchanges", head: "Exchanges", text: true, show: (row) => row.exchanges.join(", ") || "all" },
  { name: "start", head: "From", instant: true, unit: "UTC", show: (row) => time(row.start) },
  { name: "end", head: "Until", instant: true, unit: "UTC", show: (row) => time(row.end) },
  { name: "last_time_reached", head: "Reached", instant: true, unit: "UTC", show: (row) => time(row.last_time_reached), about: "The latest end of a window that is done" },
  { name: "requests", head: "Requests", show: (row) => number(row.requests) },
  counted("received", "Received"), counted("inserted", "New"), counted("updated", "Changed"), counted("rejected", "Refused"),
  { name: "errors", head: "Errors", text: true, long: true, value: (row) => row.errors.length, show: (row) => (row.errors.length ? h("ul", {}, row.errors.map((error) => h("li", {}, error))) : MISSING) },
  { name: "asked_by", head: "Asked by", text: true },
  { name: "created_at", head: "Ordered", instant: true, unit: "UTC", show: (row) => time(row.created_at) },
];

export const backfills = {
  title: "Back-fills",
  keyed: true,
  open({ page, root, every }) {
    const said = done();
    const found = table({ caption: `Back-fills, newest first (up to ${MOST})`, columns: columns((row) => actions(row, said, ask)), file: "backfills", key: ({ id }) => id,
      empty: "None was ordered yet. Say above what to fetch, look at the plan, and start it." });
    const place = piece(page, found);
    const form = order(page, said, () => ask());
    fill(root, form, h("div", { class: "toolbar" }, h("h2", {}, "Ordered"), said), place);
    let asked = 0;
    let live = false;
    function ask() {
      asked = Date.now();
      return place.ask("/admin/backfills", { order: "desc", limit: MOST }, ({ rows }) => {
        found.rows(rows);
        live = rows.some(underWay);
      });
    }
    every(SOON, () => (live || Date.now() - asked >= SELDOM ? ask() : null));
    tick(root, every);
    return () => Promise.all([form.offer(), ask()]);
  },
};

function actions(row, said, ask) {
  const { id, state } = row;
  const run = async (verb, words) => { if (await said.run(() => words, "POST", `/admin/backfills/${id}/${verb}`)) await ask(); };
  const named = `back-fill ${id}: ${row.source}, ${day(row.start)} to ${day(row.end)}`;
  if (["queued", "running"].includes(state)) {
    return button("Cancel", async () => {
      if (await confirmed({ title: `Cancel ${named}?`, text: "What is stored stays. It can be resumed: then the rest is fetched.", yes: "Cancel it", danger: true })) {
        await run("cancel", `Back-fill ${id} is being cancelled`);
      }
    }, `Cancel ${named}`);
  }
  if (!["cancelled", "partial", "failed"].includes(state)) return MISSING;
  return button("Resume", async () => {
    if (await confirmed({ title: `Resume ${named}?`, text: "What was not fetched, or failed, is asked for again.", yes: "Resume it" })) {
      await run("resume", `Back-fill ${id} goes on`);
    }
  }, `Resume ${named}`);
}
