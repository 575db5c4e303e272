/** What concerns every view: numbers that were made up, and sources that tell nothing. */

import { Problem, get } from "./api.js";
import { hear } from "./clock.js";
import { fill, h, sentence } from "./dom.js";
import { ahead, tick } from "./ticking.js";

const NARROW = "(max-width: 640px)";
const SELDOM = 60_000;
/** While a source is asked for the first time. */
const SOON = 5000;

/**
 * Banners in a place. `heard(meta)`: what an answer says of made up numbers; `ask()`: how the sources stand, now and then again
 * while the page is looked at.
 * @returns {{heard: (meta: Object) => void, ask: () => Promise<void>}}
 */
export function banners(place) {
  let generated = [];
  let made = null;
  let standing = null;
  let timer = 0;
  let asking = null;
  tick(place, (wait, run) => setInterval(run, wait));
  const show = () => fill(place, made, standing);

  function heard(meta) {
    hear(meta);
    const told = meta?.generated ?? [];
    if (told.join() === generated.join()) return;
    generated = told;
    made = told.length ? madeUp(told) : null;
    show();
  }
  async function ask() {
    clearTimeout(timer);
    asking?.abort();
    const { signal } = asking = new AbortController();
    let wait = SELDOM;
    try {
      const { rows, meta } = await get("/quality/sources", {}, { signal });
      heard(meta);
      standing = said(rows, generated.length > 0);
      if (rows.some(({ state }) => state === "waiting")) wait = SOON;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      standing = h("p", { class: "notice bad", id: "unreachable" }, sentence(error.message));
    }
    if (signal.aborted) return;
    show();
    timer = setTimeout(due, wait);
  }
  function due() {
    if (document.hidden) document.addEventListener("visibilitychange", due, { once: true });
    else ask();
  }
  return { heard, ask };
}

/** What is made up: in short, and by name where there is room or somebody asks. */
const madeUp = (exchanges) => h("details", { class: "notice generated", id: "generated", open: !matchMedia(NARROW).matches },
  h("summary", {}, h("strong", {}, "Generated data: "), "nobody traded at it. ", h("code", {}, "perpstore demo --remove"), " takes it out."),
  `The numbers of ${exchanges.join(", ")} were made up by `, h("code", {}, "perpstore demo"), ".");

const why = () => h("a", { href: "#/data?part=sources" }, "Why, and what to do");
const names = (rows) => rows.map(({ name }) => name).join(", ");

/** What there is to say of how the sources stand; null: nothing. */
function said(rows, demo) {
  const of = (...states) => rows.filter(({ state }) => states.includes(state));
  const [down, failing, waiting] = [of("unreachable"), of("failing"), of("waiting")];
  if (!down.length && !failing.length) return waiting.length && !rows.some((row) => row.last_success_at) ? begun(waiting) : null;
  if (of("ok").length) return down.length ? warned(`Not reachable: ${names(down)}. What is stored of them grows old. `, why()) : null;
  const what = failing.length
    ? [`No source tells anything: ${down.length} cannot be reached, ${failing.length} answer with errors. `]
    : [`None of ${down.length} sources ${waiting.length ? "asked so far " : ""}can be reached: this machine has no way to the internet, or something blocks it. `];
  return warned(what, ...again([...down, ...failing]), "What is stored is shown. ", why(), ".",
    demo ? null : [" To look around meanwhile, type ", h("code", {}, "perpstore demo"), ": it loads made up numbers, marked as such."]);
}

const warned = (...text) => h("p", { class: "notice bad", id: "unreachable" }, text);

const begun = (waiting) => h("p", { class: "notice", id: "starting" },
  `${waiting.length} sources are being asked for the first time: what they tell shows here by itself. `, h("a", { href: "#/data?part=sources" }, "How they stand"), ".");

/** When they are asked again, in words that go on. */
function again(rows) {
  const next = Math.min(...rows.map(({ next_at: at }) => at).filter((at) => at !== null));
  return Number.isFinite(next) ? ["They are asked again by themselves, the next ", ahead(next), ". "] : ["They are asked again by themselves. "];
}
