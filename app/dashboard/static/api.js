/** The public API, as any client has it. */

const STORED = "perpstore-key";
/** Milliseconds until a stream that was lost is opened again. */
const AGAIN = 3000;
const GONE = "The server does not answer. Is `perpstore serve` (or `make run`) still running?";

/** The key typed in, of this tab alone. */
export const key = () => sessionStorage.getItem(STORED);

/** Keep a key for as long as this tab is open; null forgets it. */
export function keep(value) {
  if (value) sessionStorage.setItem(STORED, value);
  else sessionStorage.removeItem(STORED);
  dispatchEvent(new CustomEvent("key"));
}

/** What the API answered that is not an answer (RFC 9457). `status` 0: it could not be reached. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `status ${status}`);
    this.status = status;
    this.code = body.code ?? "unreachable";
    this.candidates = body.candidates ?? [];
  }
}

/** A path with names in it, which may have any letters: route`/funding/${asset}`. In a query names are as they are. */
export const route = (texts, ...names) => String.raw({ raw: texts }, ...names.map((name) => encodeURIComponent(name)));

/**
 * The address of a question. Absent and empty parameters are left out; lists are joined by commas.
 * @throws {Problem} where a name in the path is "." or "..", which no address can hold: another path would be asked
 */
export function address(path, query = {}) {
  const dots = path.split("/").find((name) => name === "." || name === "..");
  if (dots) throw new Problem(404, { code: "unknown_asset", detail: `Nothing is called "${dots}"` });
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const text = Array.isArray(value) ? value.join(",") : value;
    if (text !== null && text !== undefined && text !== "" && text !== false) words.set(name, text);
  }
  const asked = words.toString();
  return path.replace(/^\//, "") + (asked ? `?${asked}` : "");
}

async function send(url, init) {
  const headers = { Accept: "application/json", ...init.headers };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  let answer;
  try {
    answer = await fetch(url, { ...init, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: GONE });
  }
  if (answer.ok) return answer;
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

/** What an answer says. What is no JSON is not of this API: of something that stands before it, as a rule. */
async function told(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const detail = error instanceof SyntaxError ? "What answers is not the API: it does not speak JSON. Does something stand between this page and the server?" : GONE;
    throw new Problem(0, { code: "no_json", detail });
  }
}

/**
 * Ask: rows (times in milliseconds), meta and page.
 * @returns {Promise<{rows: Object[], meta: Object, page: Object}>} @throws {Problem}
 */
export async function get(path, query = {}, { signal } = {}) {
  const answer = await send(address(path, { time_format: "ms", ...query }), { signal });
  const body = await told(answer);
  return { rows: body.data, meta: body.meta, page: body.page };
}

/** Do something: POST, PUT or DELETE with a JSON body. @throws {Problem} */
export async function act(method, path, body = null, headers = {}) {
  const typed = body === null ? {} : { "Content-Type": "application/json" };
  const answer = await send(address(path), { method, headers: { ...typed, ...headers }, body: body && JSON.stringify(body) });
  const found = await told(answer);
  return { rows: found.data, meta: found.meta, page: found.page };
}

/** What is at an address, as a blob of a media type. @throws {Problem} */
export async function blobOf(url, media) {
  const answer = await send(url, { headers: { Accept: media } });
  return answer.blob().catch(() => { throw new Problem(0, { detail: GONE }); });
}

/**
 * Follow the stream (server-sent events) until `signal` ends it; comes back by itself where it left off. Where it needs a
 * key it waits for one, and nobody is asked for what is not looked at.
 * @param {string[]} topics @param {(kind: string, data: Object) => void} hear
 * @param {(state: "live"|"lost"|"locked") => void} tell
 */
export async function follow(topics, hear, tell, signal) {
  let last = null;
  while (!signal.aborted) {
    const found = await stream(topics, last, signal);
    if (signal.aborted) return;
    if (found instanceof Problem) {
      const locked = found.status === 401 || found.status === 403;
      tell(locked ? "locked" : "lost");
      if (found.status === 404) return;
      await (locked ? happened(window, "key", signal) : later(signal));
      continue;
    }
    tell("live");
    for await (const event of events(found)) {
      last = event.id ?? last;
      if (event.data) hear(event.event ?? "message", JSON.parse(event.data));
    }
    if (signal.aborted) return;
    tell("lost");
    await later(signal);
  }
}

/** The body of the stream, or why there is none. */
async function stream(topics, last, signal) {
  try {
    const resumed = last ? { "Last-Event-ID": last } : {};
    return (await send(address("stream", { topics }), { signal, headers: { Accept: "text/event-stream", ...resumed } })).body;
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") return error;
    throw error;
  }
}

/** Settles once something is told, or `signal` ends the wait. */
const happened = (target, name, signal) => new Promise((go) => {
  target.addEventListener(name, go, { once: true, signal });
  signal.addEventListener("abort", go, { once: true });
});

/** Settles in a while, and not before the page is looked at. */
async function later(signal) {
  await new Promise((go) => setTimeout(go, AGAIN));
  while (document.hidden && !signal.aborted) await happened(document, "visibilitychange", signal);
}

/** What is told, one by one, until the connection ends or breaks off. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const read = () => reader.read().catch(() => ({ done: true }));
  for (let part = await read(); !part.done; part = await read()) {
    const blocks = (text + part.value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) yield Object.fromEntries(block.split("\n").filter((line) => !line.startsWith(":")).map(field));
  }
}

function field(line) {
  const at = line.indexOf(":");
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
}
