/**
 * An open view: its words in the address, what it asks and hears, and how it ends.
 *
 * A view is `{ defaults, open }`. `open(page)` fills `page.root` and gives a function `update(changed)`, called with the
 * names of the words that changed (by a control, a link, or "back"), and once at the beginning with null.
 */

import { address, follow, get } from "./api.js";
import { fill, h } from "./dom.js";
import { refusal, refused } from "./places.js";

const PAGES = 8;
const SIGNS = {
  live: "What is stored shows here within a second", lost: "The stream does not answer; it is tried again",
  locked: "The stream needs a key: it opens once one is entered",
};

/** Open a view. `frame`: `heard(meta)` and `footer(notices, calls)`. */
export function open(name, view, words, frame) {
  const ended = new AbortController();
  const page = { name, root: document.getElementById("view"), params: { ...view.defaults, ...words }, signal: ended.signal, turn: 0 };
  const bound = [];
  let asking = new AbortController();
  let told = new Map();
  let update = () => {};
  let reported = null;

  page.sync = (show) => { bound.push(show); show(); };
  page.set = (changes) => {
    const changed = Object.keys(changes).filter((word) => (page.params[word] ?? "") !== changes[word]);
    if (!changed.length || ended.signal.aborted) return;
    Object.assign(page.params, changes);
    history.replaceState(null, "", link(name, view, page.params));
    run(changed);
  };
  page.told = (fresh) => {
    const wanted = { ...view.defaults, ...fresh };
    const changed = [...new Set([...Object.keys(wanted), ...Object.keys(page.params)])].filter((word) => wanted[word] !== page.params[word]);
    page.params = wanted;
    if (changed.length) run(changed);
  };
  page.again = () => run(null);
  /** The link that shows a view with these words. */
  page.link = (other, wanted) => link(other, { defaults: {} }, wanted);
  /** The link that shows this view with some words changed. */
  page.here = (changes) => link(name, view, { ...page.params, ...changes });
  /**
   * Ask the API; its notices and its call are told under the view. Throws an AbortError once the view is told anew or left, or
   * `signal` says so: who asked for what is no longer wanted ends there.
   */
  page.get = (path, query = {}, { signal } = {}) => ask(path, query, 1, signal);
  /** The same, page after page up to a limit of them, as one answer. */
  page.all = (path, query = {}) => ask(path, query, PAGES);
  /** Hear the stream for as long as the view is open, or until what this gives is called. */
  page.follow = (topics, hear) => {
    const enough = new AbortController();
    follow(topics, hear, (state) => { if (!enough.signal.aborted) live(state); }, AbortSignal.any([ended.signal, enough.signal]));
    return () => { enough.abort(); live(null); };
  };
  /** Do something every so many milliseconds while the view is open and looked at; not again before it is done. */
  page.every = (wait, run) => {
    let under = false;
    const timer = setInterval(async () => {
      if (document.hidden || under) return;
      under = true;
      try {
        await run();
      } finally {
        under = false;
      }
    }, wait);
    ended.signal.addEventListener("abort", () => clearInterval(timer));
  };
  /** Nothing is asked, shown or written into the address any more. */
  page.leave = () => { asking.abort(); ended.abort(); live(null); };

  /** Tell no more of what was asked before under the view: something else is shown. */
  page.forget = () => { told = new Map(); report(); };

  async function ask(path, query, pages, narrower) {
    const signal = narrower ? AbortSignal.any([asking.signal, narrower]) : asking.signal;
    const answer = await read(path, query, pages, signal).finally(() => signal.throwIfAborted());
    frame.heard(answer.meta);
    told.set(address(path, query), answer.page?.next_cursor ? [...answer.meta.notices, `${path}: only the first ${answer.rows.length} rows are shown`] : answer.meta.notices);
    report();
    return answer;
  }
  function report() {
    const notices = [...new Set([...told.values()].flat())];
    const now = JSON.stringify([notices, [...told.keys()]]);
    if (now !== reported) frame.footer(notices, [...told.keys()]);
    reported = now;
  }
  async function run(changed) {
    if (ended.signal.aborted) return;
    asking.abort();
    asking = new AbortController();
    page.turn += 1;
    if (changed === null) told = new Map();
    bound.forEach((show) => show());
    page.root.setAttribute("aria-busy", "true");
    const { signal } = asking;
    try {
      const problem = await refused(() => update(changed)).catch(takenBack);
      if (!signal.aborted) fill(trouble, problem && refusal(problem));
    } finally {
      if (!signal.aborted) page.root.removeAttribute("aria-busy");
    }
  }

  const trouble = h("div", { class: "trouble", role: "alert" });
  const inside = h("div", { class: `view ${name}` });
  fill(page.root, trouble, inside);
  page.root = inside;
  report();
  page.ready = (async () => { update = (await view.open(page)) ?? update; await run(null); })();
  return page;
}

/** One answer of up to so many pages. */
async function read(path, query, pages, signal) {
  const answer = await get(path, query, { signal });
  for (let had = 1; had < pages && answer.page?.next_cursor; had += 1) {
    const next = await get(path, { ...query, cursor: answer.page.next_cursor }, { signal });
    [answer.rows, answer.page] = [answer.rows.concat(next.rows), next.page];
  }
  return answer;
}

/** What was taken back, because something newer is asked, is nothing to tell of. */
function takenBack(error) {
  if (error.name !== "AbortError") throw error;
  return null;
}

/** The address of a view with its words, but for those that are as usual. */
function link(name, view, params) {
  const told = Object.entries(params).filter(([word, value]) => value !== (view.defaults[word] ?? ""));
  const words = new URLSearchParams(told).toString();
  return `#/${name}${words ? `?${words}` : ""}`;
}

function live(state) {
  const sign = document.getElementById("live");
  if (!sign) return;
  sign.hidden = state === null;
  sign.dataset.state = state ?? "";
  sign.textContent = state === "live" ? "live" : "not live";
  sign.title = SIGNS[state] ?? "";
}
