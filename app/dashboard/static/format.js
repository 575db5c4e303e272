/** Numbers and times as people read them. What is missing is a dash, never a zero. */

import { now as clock } from "./clock.js";

export const MISSING = "–";
export const PER = { native: "interval", "1h": "hour", "8h": "8 hours", "1y": "year" };

const gone = (value) => value === null || value === undefined || Number.isNaN(value);

/** A fraction as percent; `places` after the point (default: what shows four figures of a rate). */
export function percent(value, places = null) {
  if (gone(value)) return MISSING;
  const size = Math.abs(value * 100);
  return `${(value * 100).toFixed(places ?? (size >= 100 ? 0 : size >= 1 ? 2 : 4))}%`;
}

/** A rate per hour, 8 hours or interval has four places, per year two. */
export const rate = (value, per) => percent(value, per === "1y" ? 2 : 4);

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const PLAIN = new Intl.NumberFormat("en", { maximumSignificantDigits: 8 });

/** Dollars, shortened: $1.234B. */
export function usd(value) {
  if (gone(value)) return MISSING;
  return `${value < 0 ? "−" : ""}$${COMPACT.format(Math.abs(value))}`;
}

/** A number as it is, up to eight figures. */
export const number = (value) => (gone(value) ? MISSING : PLAIN.format(value));

/** A large number, shortened. */
export const compact = (value) => (gone(value) ? MISSING : COMPACT.format(value));

/** So many of something: 1 pair, 2 pairs. */
export const counted = (count, what, many = `${what}s`) => `${number(count)} ${count === 1 ? what : many}`;

/** Bytes: 1.2 MB. */
export function size(value) {
  if (gone(value)) return MISSING;
  const step = Math.min(4, Math.floor(Math.log10(Math.max(value, 1)) / 3));
  return `${+(value / 1000 ** step).toPrecision(3)} ${["B", "kB", "MB", "GB", "TB"][step]}`;
}

/** Seconds as 42s, 5m, 8h, 3d; below zero nothing is left. */
export function age(seconds) {
  if (gone(seconds)) return MISSING;
  for (const [unit, letter] of [[86400, "d"], [3600, "h"], [60, "m"]]) {
    if (Math.abs(seconds) >= unit) return `${+(seconds / unit).toFixed(1)}${letter}`;
  }
  return `${Math.round(seconds)}s`;
}

/** What is left until an instant (milliseconds), as 7:59:58. */
export function countdown(time, now = clock()) {
  if (gone(time)) return MISSING;
  const left = Math.max(0, Math.round((time - now) / 1000));
  const two = (part) => String(part).padStart(2, "0");
  return `${Math.floor(left / 3600)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
}

/** An instant (milliseconds) in UTC: 2026-03-02 08:00, with seconds where it has any. */
export function time(value) {
  if (gone(value)) return MISSING;
  const text = new Date(value).toISOString();
  return text.slice(17, 19) === "00" ? text.slice(0, 16).replace("T", " ") : text.slice(0, 19).replace("T", " ");
}

/** A day in UTC. */
export const day = (value) => (gone(value) ? MISSING : new Date(value).toISOString().slice(0, 10));

/** An instant (milliseconds) for machines: RFC 3339 in UTC, 2026-03-02T08:00:00Z; absent stays absent. */
export const stamp = (value) => (gone(value) ? null : new Date(value).toISOString().replace(".000Z", "Z"));

/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

const isObject = (value) => typeof value === "object" && value !== null;

function plain(value) {
  if (gone(value)) return "";
  if (Array.isArray(value) && !value.some(isObject)) return value.join(" ");
  return isObject(value) ? JSON.stringify(value) : String(value);
}

/**
 * Rows as CSV (RFC 4180): absent is empty, lists are joined by blanks, objects are JSON. Before text that a spreadsheet
 * would run as a formula stands an apostrophe; numbers stay numbers.
 */
export function csv(names, rows) {
  const cell = (value) => {
    const text = typeof value !== "number" && FORMULA.test(plain(value)) ? `'${plain(value)}` : plain(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
