/** What was brought over the API and the command line, and taking it back. */

import { search, toolbar } from "../../controls.js";
import { confirmed } from "../../dialog.js";
import { fill, h } from "../../dom.js";
import { MISSING, number, time } from "../../format.js";
import { piece } from "../../places.js";
import { table } from "../../table.js";
import { button, done } from "./done.js";

const EVERY = 15_000;
const MOST = 500;
const STATES = { running: ["↻", "warning"], stored: ["●", "good"], failed: ["✕", "wrong"], taken_back: ["○", "missing"] };

const counted = (name, head, about) => ({ name, head, about, unit: "rows", show: (row) => number(row[name]) });
const columns = (actions) => [
  { name: "id", head: "Import" },
  { name: "state", head: "State", text: true, show: ({ state }) => h("span", { class: STATES[state]?.[1] }, `${STATES[state]?.[0] ?? "?"} ${state.replaceAll("_", " ")}`) },
  { name: "do", head: "Do", text: true, buttons: true, value: ({ id }) => id, show: actions },
  { name: "dataset", head: "Dataset", text: true },
  { name: "source", head: "Source", text: true },
  { name: "who", head: "Who", text: true, show: ({ who, via }) => h("span", { title: `by ${via}` }, who) },
  { name: "started_at", head: "When", instant: true, unit: "UTC", show: (row) => time(row.started_at) },
  counted("received", "Received"), counted("inserted", "New"), counted("updated", "Changed"), counted("unchanged", "Unchanged", "Stored already, or told again by a later row"),
  counted("rejected", "Refused"),
  { name: "file", head: "File", text: true, long: true },
  { name: "taken_back_at", head: "Taken back", instant: true, unit: "UTC", show: (row) => time(row.taken_back_at) },
];

export const imports = {
  title: "Imports",
  keyed: true,
  open({ page, root, every }) {
    const said = done();
    const found = table({ caption: `Imports, newest first (up to ${MOST})`, columns: columns((row) => actions(row, said, ask)), file: "imports", key: ({ id }) => id,
      empty: ["Nothing was imported. Bring files by ", h("code", {}, "perpstore import DATASET FILE"), ", or rows by POST."] });
    const place = piece(page, found);
    fill(root, toolbar(search(page, "source", "Source", { wait: 300, placeholder: "all" }), search(page, "dataset", "Dataset", { wait: 300, placeholder: "all" }), said), place);
    function ask() {
      const { source, dataset } = page.params;
      return place.ask("/admin/imports", { source, dataset, order: "desc", limit: MOST }, ({ rows }) => found.rows(rows));
    }
    every(EVERY, ask);
    return ask;
  },
};

function actions(row, said, ask) {
  if (!["stored", "failed"].includes(row.state)) return MISSING;
  const { id, dataset, inserted, updated } = row;
  return button("Take back", async () => {
    const text = `${number(inserted)} rows of ${dataset} it brought go, ${number(updated)} it changed say again what they said before. What others wrote later stays.`;
    if (!await confirmed({ title: `Take import ${id} back?`, text, yes: "Take it back", danger: true })) return;
    if (await said.run(() => `Import ${id} was taken back`, "DELETE", `/admin/imports/${id}`)) await ask();
  }, `Take import ${id} back`);
}
