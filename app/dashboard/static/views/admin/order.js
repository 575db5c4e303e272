/** The form that orders a back-fill: what a source can be asked for, the plan, and the start. */

import { act } from "../../api.js";
import { choose, moment, numeric, search, toolbar } from "../../controls.js";
import { fill, h, say } from "../../dom.js";
import { age, number, time } from "../../format.js";
import { piece, tried } from "../../places.js";

const list = (text) => (text ?? "").split(",").map((word) => word.trim()).filter(Boolean);

/** An order as the API takes it. With a beginning the days are not told. */
function wish({ source, datasets, assets, exchanges, days, start, end }) {
  const past = start ? { start } : { days: Number(days) || null };
  return { source, datasets: list(datasets), assets: list(assets), exchanges: list(exchanges), ...past, ...(end ? { end } : {}) };
}

/** Twice the same click is one order. */
const once = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** The datasets of a source whose past can be asked for, each once, with how far back. */
function past(source) {
  const able = source.schedule.filter(({ history }) => history);
  return [...new Map(able.map((feed) => [feed.dataset, feed])).values()];
}

/**
 * The form. `offer()` asks who can be asked for what; what was started is told in `said`, and `ordered()` called then.
 * @returns {HTMLElement & {offer: () => Promise<boolean>}}
 */
export function order(page, said, ordered) {
  const source = choose(page, "source", "Source", []);
  const datasets = h("fieldset", { class: "datasets" });
  const [trouble, plan] = [h("div", { role: "alert" }), h("div", { id: "plan" })];
  const ask = h("button", { type: "button", id: "ask-plan", onclick: planned }, "Show the plan");
  const form = toolbar(source, datasets, ...narrowing(page), h("div", { class: "control" }, ask));
  form.setAttribute("aria-label", "A back-fill to order");
  const place = piece(page, form);
  const made = h("div", { id: "order" }, h("h2", {}, "Order history"), place, trouble, plan);
  let known = [];

  async function planned() {
    const asked = wish(page.params);
    const wanted = () => JSON.stringify(wish(page.params)) === JSON.stringify(asked);
    fill(plan, h("p", { class: "missing" }, "It is planned …"));
    const done = await tried(trouble, async () => {
      const { rows } = await act("POST", "/admin/backfills?dry_run=true", asked);
      if (!wanted()) return;
      fill(plan, told(millis(rows[0]), start(asked)));
      say("The plan is shown");
    });
    if (!wanted()) fill(trouble);
    else if (!done) fill(plan);
  }
  function start(asked) {
    const key = once();
    return h("button", { type: "button", id: "start-backfill", onclick: async () => {
      const words = (rows) => `Back-fill ${rows[0].id} is ordered: ${rows[0].windows_planned} windows`;
      if (await said.run(words, "POST", "/admin/backfills", asked, { "Idempotency-Key": key })) {
        fill(plan);
        ordered();
      }
    } }, "Start it");
  }
  function show() {
    const able = known.filter((one) => past(one).length);
    source.offer([["", "choose"], ...able.map((one) => [one.source, one.disabled ? `${one.name} (${one.disabled})` : one.name])]);
    const chosen = able.find((one) => one.source === page.params.source);
    if (datasets.dataset.source !== chosen?.source) fill(datasets, h("legend", {}, "Datasets"), chosen ? boxes(page, past(chosen)) : "choose a source first");
    datasets.dataset.source = chosen?.source;
    ask.disabled = !chosen;
    fill(plan);
    fill(trouble);
  }
  made.offer = () => place.ask("/sources", {}, ({ rows }) => { known = rows; show(); });
  return made;
}

const narrowing = (page) => [
  search(page, "assets", "Assets", { wait: 300, placeholder: "all", note: "one or several, by commas" }),
  search(page, "exchanges", "Exchanges", { wait: 300, placeholder: "all", note: "one or several, by commas; of sources that tell of several" }),
  numeric(page, "days", "Days back", { min: 0.01, placeholder: "days", note: "from now, or from the end" }),
  moment(page, "start", "or from", { note: "UTC; instead of days" }), moment(page, "end", "Until", { note: "UTC; empty: now" }),
];

/** A box a dataset; none ticked is all of them. */
function boxes(page, feeds) {
  const chosen = list(page.params.datasets);
  const inputs = feeds.map(({ dataset }) => h("input", { type: "checkbox", value: dataset, checked: chosen.includes(dataset) }));
  const turn = () => page.set({ datasets: inputs.filter(({ checked }) => checked).map(({ value }) => value).join(",") });
  inputs.forEach((input) => input.addEventListener("change", turn));
  return [feeds.map(({ dataset, keeps_s: keeps }, place) => h("label", { title: keeps ? `the source keeps ${age(keeps)}` : "as far back as the source goes" },
    inputs[place], dataset, keeps ? h("small", {}, `keeps ${age(keeps)}`) : null)), h("small", {}, "none ticked: all")];
}

const millis = (row) => ({ ...row, start: Date.parse(row.start), end: Date.parse(row.end) });
const card = (name, value, title) => h("div", { class: "card" }, h("dt", {}, name), h("dd", { title }, value));

function told(row, start) {
  return [h("h3", {}, `The plan: ${row.source}, ${row.datasets.join(", ")}`),
    h("dl", { class: "cards" }, card("From (UTC)", time(row.start)), card("Until (UTC)", time(row.end)), card("Windows", number(row.windows)),
      card("Requests, at the least", number(row.requests)), card("Rows, at the most", number(row.rows)),
      card("Takes, as the source's budget allows", row.time_s < 1 ? "under 1s" : age(row.time_s), `${row.time_s} s`)), h("p", {}, start, " Nothing is started yet.")];
}
