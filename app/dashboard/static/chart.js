/** Charts, drawn by Plotly, which is fetched when the first one is. Always SVG; PNG and CSV to take home. */

import { download, fill, h } from "./dom.js";
import { MISSING, csv, time } from "./format.js";

/** Colours of the page for series; those of the exchanges that are collected, and of the generated ones, are always the same. */
const COLOURS = 14;
const KNOWN = ["binance", "bybit", "okx", "hyperliquid", "deribit", "extended", "lighter", "kraken", "dydx", "demo-options", "demo-alpha", "demo-beta", "demo-gamma", "demo-delta"];
const TEMPLATES = ["hovertemplate", "texttemplate"];
let library = null;

/** The library; null where it cannot be fetched: then it is tried again by the next chart. */
function plotly() {
  library ??= new Promise((tell) => {
    const gone = () => { library = null; script.remove(); tell(null); };
    const script = h("script", { src: "dashboard/plotly.js", onload: () => (window.Plotly ? tell(window.Plotly) : gone()), onerror: gone });
    document.head.append(script);
  });
  return library;
}

/** A colour of the page, by the name of its CSS property. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * Colours of the exchanges of one chart, by the name of their CSS property: an exchange has its usual one, and no two
 * share one as long as there are enough.
 * @returns {Map<string, string>}
 */
export function hues(exchanges) {
  const names = [...new Set(exchanges)].sort((a, b) => KNOWN.includes(b) - KNOWN.includes(a) || a.localeCompare(b));
  const taken = new Map();
  for (const name of names) taken.set(name, free(usual(name), new Set(taken.values())));
  return new Map([...taken].map(([name, place]) => [name, `series-${place}`]));
}

function usual(name) {
  const known = KNOWN.indexOf(name);
  return known >= 0 ? known : [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % COLOURS;
}

/** The first place from this one on that nobody has; this one where all are taken. */
function free(from, taken) {
  for (let step = 0; step < COLOURS; step += 1) if (!taken.has((from + step) % COLOURS)) return (from + step) % COLOURS;
  return from;
}

/** A line over time. `values` may have nulls: there the line breaks. */
export const line = (name, times, values, more = {}) => ({
  type: "scatter", mode: "lines", name, x: times, y: values, line: { width: 1.5, ...more.line }, connectgaps: false, ...more.trace,
});

/**
 * A chart of a view, for as long as that is open. `draw(traces, layout)` draws Plotly traces (made anew by a function, so that they take the colours of the
 * theme); `empty(text)` says instead what there is not, and what to do. With `onzoom` it is the caller who zooms, by
 * `zoom(from, to)`: charts of one axis of time then move together; a double click asks for (null, null).
 * @param {Object} page @param {{title: string, unit?: string, file: string, height?: number, onzoom?: (from: number|null, to: number|null) => void}} about
 */
export function chart(page, { title, unit = "", file, height = 300, onzoom = null }) {
  const plot = h("div", { class: "plot", style: { height: `${height}px` }, role: "img", "aria-label": title });
  const nothing = h("p", { class: "empty", hidden: true });
  const figures = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}: numbers` });
  const numbers = h("details", { ontoggle: () => { if (numbers.open) tabulate(); } }, h("summary", {}, "Numbers"), figures);
  const buttons = h("span", { class: "buttons" },
    h("button", { type: "button", class: "quiet", onclick: picture }, "PNG"), h("button", { type: "button", class: "quiet", onclick: save }, "CSV"));
  const made = h("figure", { class: "chart" }, h("figcaption", {}, h("span", {}, title, unit ? h("small", {}, unit) : null), buttons), plot, nothing, numbers);
  numbers.hidden = buttons.hidden = true;
  let last = null;
  let zooming = false;

  async function paint() {
    const Plotly = await plotly();
    if (!last || !plot.isConnected) return;
    if (!Plotly) return void unpainted();
    const fresh = !plot.data;
    await Plotly.react(plot, plain(last.traces()), plain(styled(last.layout)), { displayModeBar: false, responsive: true, showTips: false, doubleClick: onzoom ? false : "reset+autosize" });
    if (fresh && onzoom) {
      plot.on("plotly_relayout", (event) => { if (!zooming) zoomed(event, onzoom); });
      plot.on("plotly_doubleclick", () => onzoom(null, null));
    }
    if (numbers.open) tabulate();
  }
  function unpainted() {
    plot.hidden = true;
    nothing.hidden = false;
    fill(nothing, "The drawing library could not be fetched; the numbers are here. ", h("button", { type: "button", onclick: () => made.draw(last.traces, last.layout) }, "Try again"));
  }
  made.draw = (traces, layout = {}) => {
    last = { traces, layout };
    plot.hidden = numbers.hidden = buttons.hidden = false;
    nothing.hidden = true;
    return paint();
  };
  /** Show [from, to] (milliseconds) of the axis, without telling `onzoom`. */
  made.zoom = async (from, to) => {
    if (!last) return;
    last.layout.xaxis = { ...last.layout.xaxis, range: [from, to] };
    if (!plot.data || plot.hidden) return;
    const seen = reach(last.traces(), from, to);
    zooming = true;
    await window.Plotly.relayout(plot, { "xaxis.range": [from, to], ...(seen ? { "yaxis.range": seen } : {}) });
    zooming = false;
  };
  made.empty = (...text) => {
    last = null;
    plot.hidden = numbers.hidden = buttons.hidden = true;
    nothing.hidden = false;
    fill(nothing, ...text);
  };
  async function picture() {
    const Plotly = await plotly();
    if (!Plotly) return void unpainted();
    const url = await Plotly.toImage(plot, { format: "png", width: Math.max(plot.clientWidth, 900), height: Math.max(height, 450), scale: 2 });
    h("a", { href: url, download: `${file}.png` }).click();
  }
  function save() {
    download(`${file}.csv`, "text/csv", csv(...figuresOf(last.traces())));
  }
  function tabulate() {
    const [names, rows] = figuresOf(last.traces());
    fill(figures, h("table", {}, h("caption", {}, `${title}, the first ${Math.min(rows.length, 200)} of ${rows.length} numbers`),
      h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.slice(0, 200).map((row) => h("tr", {}, row.map((value) => h("td", {}, value ?? MISSING)))))));
  }
  addEventListener("theme", paint, { signal: page.signal });
  page.signal.addEventListener("abort", () => { if (plot.data) window.Plotly.purge(plot); });
  return made;
}

/** Plotly reads tags in any text. Names are others' words: only the templates, which are written here, may have some. */
function plain(told, name = "") {
  if (typeof told === "string") return TEMPLATES.includes(name) ? told : told.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  if (Array.isArray(told)) return told.map((each) => plain(each, name));
  if (told === null || typeof told !== "object") return told;
  return Object.fromEntries(Object.entries(told).map(([key, value]) => [key, plain(value, key)]));
}

function zoomed(event, onzoom) {
  const [from, to] = event["xaxis.range"] ?? [event["xaxis.range[0]"], event["xaxis.range[1]"]];
  if (from !== undefined) onzoom(instant(from), instant(to));
  else if (event["xaxis.autorange"]) onzoom(null, null);
}

/** From the lowest to the highest value between two times, with a little room; null where there are two axes. */
function reach(traces, from, to) {
  if (traces.some(({ yaxis }) => yaxis === "y2")) return null;
  if (traces.some(({ type, stackgroup }) => type === "bar" || stackgroup)) return [0, stacked(traces, from, to) * 1.05 || 1];
  const values = traces.flatMap(({ x, y, low, high }) => {
    const first = Math.max(0, x.findLastIndex((at) => at <= from));
    const after = x.findIndex((at) => at > to);
    return [y, low, high].flatMap((each) => (each ?? []).slice(first, after < 0 ? x.length : after).filter((value) => value !== null));
  });
  if (!values.length) return null;
  const [least, most] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const room = (most - least || Math.abs(most) || 1) * 0.05;
  return [least - room, most + room];
}

/** The highest stack between two times. */
function stacked(traces, from, to) {
  const sums = new Map();
  traces.forEach(({ x, y }) => x.forEach((at, n) => { if (at >= from && at <= to) sums.set(at, (sums.get(at) ?? 0) + (y[n] ?? 0)); }));
  return Math.max(0, ...sums.values());
}

/** Plotly tells places on a time axis as text without an offset, which is UTC. */
const instant = (place) => (typeof place === "number" ? place : Date.parse(`${place.replace(" ", "T").slice(0, 23)}Z`));

/** What is drawn, as rows of series, place and value. */
function figuresOf(traces) {
  const wide = traces.some(({ type }) => type === "candlestick");
  const rows = traces.flatMap((trace) => (trace.z ? grid(trace) : points(trace, wide)));
  return [wide ? ["series", "x", "open", "high", "low", "close", "value"] : traces.some(({ z, marker }) => z || Array.isArray(marker?.color)) ? ["series", "x", "y", "value"] : ["series", "x", "value"], rows];
}

function points(trace, wide) {
  const place = (at) => (typeof at === "number" && at > 1e11 ? new Date(at).toISOString() : at);
  if (trace.type === "candlestick") return trace.x.map((at, n) => [trace.name, place(at), trace.open[n], trace.high[n], trace.low[n], trace.close[n], null]);
  if (Array.isArray(trace.marker?.color)) return trace.x.map((at, n) => [trace.name, place(at), trace.y[n], trace.marker.color[n]]);
  const beside = wide ? [null, null, null, null] : [];
  return trace.x.map((at, n) => [trace.name, place(at), ...beside, trace.y[n]]);
}

const grid = (trace) => trace.z.flatMap((row, n) => row.map((value, m) => [trace.name, trace.x[m], trace.y[n], value]));

function styled(layout) {
  const [ink, muted, rule] = [colour("ink"), colour("muted"), colour("rule")];
  const axis = (more = {}) => ({ gridcolor: rule, zerolinecolor: muted, linecolor: rule, tickfont: { color: muted }, automargin: true, ...more });
  return {
    margin: { l: 56, r: 12, t: 8, b: 36 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: ink }, hovermode: "x unified", showlegend: true,
    legend: { orientation: "h", y: -0.18, font: { color: ink } }, hoverlabel: { bgcolor: colour("surface"), bordercolor: rule, font: { color: ink } },
    dragmode: "zoom", ...layout, xaxis: axis({ type: "date", ...layout.xaxis }), yaxis: axis(layout.yaxis),
    ...(layout.yaxis2 ? { yaxis2: axis({ overlaying: "y", side: "right", showgrid: false, ...layout.yaxis2 }) } : {}),
  };
}

/** The words of a title with the time they are of. */
export const asOf = (text, at) => `${text}, as of ${time(at)} UTC`;
