/** Implied volatility by expiry and delta, or by expiry and moneyness, as a heat map. Nothing is interpolated here. */

import { chart, colour } from "../../chart.js";
import { h } from "../../dom.js";
import { day, time } from "../../format.js";
import { BUCKETS } from "./smile.js";

/** The surface: `show(points, expiries, by, now)`; points of `/options/{asset}/surface`. */
export function surface(page) {
  const made = h("div");
  const drawn = chart(page, { title: "Surface", unit: "implied volatility a year, by expiry", file: "surface", height: 340 });
  drawn.id = "chart-surface";
  const about = h("p", { class: "told" });
  made.append(drawn, about);
  made.empty = drawn.empty;
  made.show = (points, expiries, by, now) => {
    const days = expiries.map((row) => day(row.expiry));
    const of = (each) => points.filter((point) => day(point.expiry) === each);
    const without = days.filter((each) => !of(each).length);
    about.textContent = `${without.length ? `Empty rows: ${without.join(", ")} have too few options. ` : ""}As of ${time(now)} UTC; – where no options are on both sides.`;
    if (!points.length) return drawn.empty("No volatility is known at this instant.");
    return drawn.draw(() => (by === "delta" ? [byDelta(days, of)] : byMoneyness(days, of)), layout(days, of, by));
  };
  return made;
}

function byDelta(days, of) {
  const z = days.map((each) => BUCKETS.map((bucket) => of(each).find((point) => point.bucket === bucket)?.iv ?? null));
  return { type: "heatmap", name: "IV", x: BUCKETS, y: days, z, coloraxis: "coloraxis", texttemplate: "%{z:.0%}", textfont: { size: 10 }, xgap: 1, ygap: 1,
    hoverongaps: false, hovertemplate: "%{y}<br>%{x}<br>IV %{z:.2%}<extra></extra>" };
}

/** A trace an expiry: each has strikes of its own, and a mark at each. */
const byMoneyness = (days, of) => days.map((each) => {
  const points = of(each);
  return { type: "scatter", mode: "markers", name: each, x: points.map((point) => point.moneyness), y: points.map(() => each), customdata: points.map((point) => point.strike),
    marker: { symbol: "square", size: 13, color: points.map((point) => point.iv), coloraxis: "coloraxis" },
    hovertemplate: "%{y}<br>strike %{customdata:,} (%{x:.3f} × forward)<br>IV %{marker.color:.2%}<extra></extra>" };
}).filter(({ x }) => x.length);

function layout(days, of, by) {
  const missing = by === "delta" ? days.flatMap((each) => BUCKETS.filter((bucket) => !of(each).some((point) => point.bucket === bucket)).map((bucket) => ({ x: bucket, y: each })))
    : days.filter((each) => !of(each).length).map((each) => ({ x: 1, y: each }));
  const axis = by === "delta" ? { type: "category", categoryorder: "array", categoryarray: BUCKETS, tickangle: -45, title: { text: "delta" } }
    : { type: "linear", tickformat: ".2f", title: { text: "strike ÷ forward" }, range: [0.5, 1.6] };
  return {
    hovermode: "closest", showlegend: false, uirevision: by, xaxis: axis,
    yaxis: { type: "category", categoryorder: "array", categoryarray: days, autorange: "reversed" },
    coloraxis: { colorscale: "Viridis", colorbar: { tickformat: ".0%", thickness: 10, tickfont: { color: colour("ink") } } },
    annotations: missing.map((place) => ({ ...place, text: "–", showarrow: false, font: { color: colour("muted") } })),
  };
}
