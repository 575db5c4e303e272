/** Implied volatility of some expiries by strike, moneyness or delta. */

import { chart, colour } from "../../chart.js";
import { h } from "../../dom.js";
import { day, time } from "../../format.js";

export const BUCKETS = ["10d put", "15d put", "25d put", "35d put", "ATM", "35d call", "25d call", "15d call", "10d call"];
const AXES = { strike: "strike, USD", moneyness: "strike ÷ forward", delta: "delta" };
const SIGNS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon"];

/** The smiles: `show(points, expiries, days, by, now)`; points of `/options/{asset}/surface` by strike or by delta. */
export function smile() {
  const made = h("div");
  const drawn = chart({ title: "Smile", unit: "implied volatility a year", file: "smile", height: 340 });
  drawn.id = "chart-smile";
  const about = h("p", { class: "legend" });
  made.append(drawn, about);
  made.empty = drawn.empty;
  made.show = (points, expiries, days, by, now) => {
    const told = days.map((each) => ({ each, points: points.filter((point) => day(point.expiry) === each) }));
    const without = told.filter((one) => !one.points.length).map(({ each }) => each);
    about.textContent = `${without.length ? `No volatility of ${without.join(", ")}: too few options. ` : ""}As of ${time(now)} UTC, each option's last in the day before; mean of call and put.`;
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

function layout(told, by) {
  const axis = by === "delta" ? { type: "category", categoryorder: "array", categoryarray: BUCKETS } : { type: "linear", tickformat: by === "strike" ? ",.0f" : ".2f" };
  const forward = told[0]?.points[0]?.forward;
  const at = by === "strike" ? forward : 1;
  const marked = by !== "delta" && forward;
  return {
    xaxis: { ...axis, title: { text: AXES[by] } }, yaxis: { tickformat: ".0%" }, hovermode: "closest", legend: { orientation: "h", y: -0.28 },
    uirevision: by,
    shapes: marked ? [{ type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { dash: "dot", width: 1, color: colour("muted") } }] : [],
    annotations: marked ? [{ x: at, yref: "paper", y: 1, text: `forward ${by === "strike" ? told[0].each : ""}`, showarrow: false, xanchor: "left", yanchor: "top", font: { color: colour("muted"), size: 11 } }] : [],
  };
}
