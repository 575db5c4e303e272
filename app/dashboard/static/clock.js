/** What time it is at the server, whatever the clock of this machine says. */

let known = null;

/** Milliseconds now: as the last answer that told it said, and what passed since; this machine's time until one has. */
export const now = () => (known ? known.at + performance.now() - known.came : Date.now());

/** Take the time from an answer: one as of now has a window of no length, which is when it was made. */
export function hear(meta) {
  const { start, end, known_at: then } = meta?.window ?? {};
  if (typeof end === "number" && start === end && !then) known = { at: end, came: performance.now() };
}
