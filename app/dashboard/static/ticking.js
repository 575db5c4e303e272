/** Ages and countdowns that go on while they are looked at. */

import { now } from "./clock.js";
import { h } from "./dom.js";
import { MISSING, age, time } from "./format.js";

const words = { since: (at) => age((now() - at) / 1000), until: (at) => (at > now() ? `in ${age((at - now()) / 1000)}` : "now") };

const ticking = (kind, at, title) => h("span", { class: "ticking", title, "data-kind": kind, "data-at": at }, words[kind](at));

/** An age in seconds, as of an answer that came at `came` (milliseconds): it grows. The title has what was told. */
export const growing = (seconds, came) =>
  (seconds === null ? MISSING : ticking("since", came - seconds * 1000, `${seconds} s at ${time(came)} UTC`));

/** How long ago an instant (milliseconds) is. */
export const ago = (at, none = MISSING) => (at === null ? none : ticking("since", at, `${time(at)} UTC`));

/** How long it is until an instant (milliseconds). */
export const ahead = (at, none = MISSING) => (at === null ? none : ticking("until", at, `${time(at)} UTC`));

/** Have all of them in an element go on. `every`: runs something every so many milliseconds. */
export function tick(root, every) {
  every(1000, () => root.querySelectorAll(".ticking").forEach((each) => {
    const text = words[each.dataset.kind](Number(each.dataset.at));
    if (each.textContent !== text) each.textContent = text;
  }));
}
