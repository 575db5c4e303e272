/** Implied volatility of some expiries by strike, moneyness or delta. */

import { chart, colour } from "../../chart.js";
import { h } from "../../dom.js";
import { day, time } from "../../format.js";

export const BUCKETS = ["10d put", "15d put", "25d put", "35d put", "ATM", "35d call", "25d call", "15d call", "10d call"];
const AXES = { strike: "strike, USD", moneyness: "strike ÷ forward", delta: "delta" };
const NEAR = [0.5, 1.6];
const SIGNS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon"];

/** The smiles: `show(points, expiries, days, by, now)`; points of `/options/{asset}/surface` by strike or by delta. */
export function smile(page) {
  const made = h("div");
  const drawn = chart(page, { title: "Smile", unit: "implied volatility a year", file: "smile", height: 340 });
  drawn.id = "chart-smile";
  const about = h("p", { class: "told" });
  made.append(drawn, about);
  made.empty = drawn.empty;
  made.show = (points, expiries, days, by, now) => {
    const told = days.map((each) => ({ each, points: points.filter((point) => day(point.expiry) === each) }));
    const without = told.filter((one) => !one.points.length).map(({ each }) => each);
    const reach = by === "delta" ? "" : ` Shown from ${NEAR[0]} to ${NEAR[1]} × forward; a double click shows all strikes.`;
    about.textContent = `${without.length ? `No volatility of ${without.join(", ")}: too few options. ` : ""}As of ${time(now)} UTC, each option's last in the day before; mean of call and put.${reach}`;
    if (without.length === told.length) return drawn.empty("No expiry that is chosen has options with a volatility. Choose others.");
    return drawn.draw(() => told.filter((one) => one.points.length).map((one, number) => trace(one, by, number)), layout(told, by));
  };
  return made;
}

const place = (point, by) => (by === "delta" ? point.bucket : point[by]);

const trace = ({ each, points }, by, number) => ({
  type: "scatter", mode: "lines+markers", name: each, x: points.map((point) => place(point, by)), y: points.map((point) => point.iv),
  line: { color: colour(`series-${number % 10}`), width: 1.5 }, marker: { symbol: SIGNS[number % SIGNS.length], size: 6 },
});

/** The volatilities of what is near the forward, with a little room: those far off would press them flat. */
function reach(told, by) {
  if (by === "delta") return {};
  const near = told.flatMap(({ points }) => points).filter(({ moneyness }) => moneyness >= NEAR[0] && moneyness <= NEAR[1]).map(({ iv }) => iv);
  const [least, most] = [Math.min(...near), Math.max(...near)];
  const room = Math.max((most - least) * 0.06, 0.01);
  return near.length ? { range: [least - room, most + room] } : {};
}

function layout(told, by) {
  const first = told.find((one) => one.points.length);
  const forward = first.points[0].forward;
  const axis = by === "delta" ? { type: "category", categoryorder: "array", categoryarray: BUCKETS }
    : { type: "linear", tickformat: by === "strike" ? ",.0f" : ".2f", range: NEAR.map((times) => times * (by === "strike" ? forward : 1)) };
  const at = by === "strike" ? forward : 1;
  const marked = by !== "delta" && forward;
  return {
    xaxis: { ...axis, title: { text: AXES[by] } }, yaxis: { tickformat: ".0%", ...reach(told, by) }, hovermode: "closest", legend: { orientation: "h", y: -0.28 },
    uirevision: by,
    shapes: marked ? [{ type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { dash: "dot", width: 1, color: colour("muted") } }] : [],
    annotations: marked ? [{ x: at, yref: "paper", y: 1, text: `forward ${by === "strike" ? first.each : ""}`, showarrow: false, xanchor: "left", yanchor: "top", font: { color: colour("muted"), size: 11 } }] : [],
  };
}
