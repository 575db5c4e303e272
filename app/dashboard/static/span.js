/** A stretch of time chosen in the address: a length up to now or to `end`, or `start` and `end` as typed; and the zoom. */

import { Problem } from "./api.js";
import { now } from "./clock.js";
import { moment } from "./controls.js";
import { h } from "./dom.js";
import { time } from "./format.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LENGTHS = { "1d": ["24 h", DAY], "7d": ["7 d", 7 * DAY], "30d": ["30 d", 30 * DAY], "365d": ["1 y", 365 * DAY] };
const STEPS = { "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR, "4h": 4 * HOUR, "8h": 8 * HOUR, "1d": DAY };
const POINTS = 1000;

/** Milliseconds of a time as typed, which is UTC where it does not say. @throws {Problem} */
export function instant(text, word) {
  const whole = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text;
  const value = Date.parse(/Z$|[+-]\d\d:?\d\d$/.test(whole) ? whole : `${whole}Z`);
  if (Number.isNaN(value)) throw new Problem(400, { detail: `${word}: "${text}" is no time; as 2026-03-02T08:00, in UTC` });
  return value;
}

/** A time as the address has it: 2026-03-02T08:00:00. */
export const word = (value) => new Date(value).toISOString().slice(0, 19);

/**
 * The stretch that the words ask for. `live`: it ends now.
 * @returns {{start: number, end: number, live: boolean}} @throws {Problem}
 */
export function span({ window, start, end }) {
  const to = end ? instant(end, "end") : Math.floor(now() / MINUTE) * MINUTE;
  const from = start ? instant(start, "start") : to - (LENGTHS[window] ?? LENGTHS["7d"])[1];
  if (from >= to) throw new Problem(400, { detail: "The window ends before it begins: start has to lie before end" });
  return { start: from, end: to, live: !end };
}

/** The window an answer is of, in words. */
export const spanned = ({ window }) => (window?.start ? `${typed(window.start)} to ${typed(window.end)} UTC` : "");

const typed = (at) => time(typeof at === "number" ? at : Date.parse(at));

/** The part of a stretch that is looked at, [from, to]; all of it where no zoom is in the address, or one beside it. */
export function zoomed({ from, to }, { start, end }) {
  if (!from || !to) return [start, end];
  const [left, right] = [instant(from, "from"), instant(to, "to")];
  return left < right && left < end && right > start ? [left, right] : [start, end];
}

/** The shortest interval, of those named, that has no more than a thousand points in the stretch (else the longest). */
export function interval({ start, end }, names) {
  return names.find((name) => (end - start) / STEPS[name] <= POINTS) ?? names.at(-1);
}

/** Follow the stream while `wanted()`; called again whenever that may have changed. */
export function whileLive(page, topics, wanted, hear) {
  let stop = null;
  return () => {
    if (wanted() === Boolean(stop)) return;
    stop?.();
    stop = wanted() ? page.follow(topics, hear) : null;
  };
}

/** How long an interval is, in milliseconds. */
export const stepOf = (name) => STEPS[name];

/** Controls of the words `window`, `start` and `end` (as `named`); a length chosen takes away start and zoom. */
export function spanControls(page, { endLabel = "End", startLabel = "Start", ends = "end" } = {}) {
  const buttons = Object.entries(LENGTHS).map(([name, [text]]) => h("button", { type: "button", class: "quiet",
    "data-window": name, onclick: () => page.set({ window: name, start: "", from: "", to: "" }) }, text));
  page.sync(() => buttons.forEach((button) =>
    button.setAttribute("aria-pressed", String(!page.params.start && button.dataset.window === page.params.window))));
  const lengths = h("div", { class: "control" }, h("span", { class: "label" }, "Window"),
    h("span", { class: "buttons pressed", role: "group", "aria-label": "Window" }, buttons));
  return [lengths, moment(page, "start", startLabel, { note: "UTC; empty: the window before the end" }),
    ends ? moment(page, ends, endLabel) : null];
}
