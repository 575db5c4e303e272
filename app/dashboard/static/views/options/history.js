/** Constant maturities over time: volatility at the money, skew or butterfly. */

import { chart, colour, line } from "../../chart.js";
import { broken } from "../../gaps.js";
import { h } from "../../dom.js";
import { time } from "../../format.js";

const MATURITIES = ["7d", "30d", "90d"];
const DASHES = ["solid", "dash", "dot"];
const STEPS = { "5m": 300_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000 };

/** The history: `show(rows, measure, step, window, why)` of `/options/{asset}/term-structure`. */
export function history(page) {
  const drawn = chart(page, { title: "Constant maturities over time", unit: "a year; between the expiries around each", file: "term-structure-history", height: 300 });
  drawn.id = "chart-history";
  const about = h("p", { class: "told" });
  const made = h("div", {}, drawn, about);
  made.empty = drawn.empty;
  made.show = (rows, measure, step, window, why) => {
    const of = (maturity) => broken(rows.filter((row) => row.maturity === maturity && row[measure] !== null), () => STEPS[step], [measure]);
    const without = MATURITIES.filter((maturity) => !of(maturity).length);
    about.textContent = `Each ${step}, ${time(window.start)} to ${time(window.end - 1)} UTC.${without.length ? ` None of ${without.join(", ")}: no expiries on both sides.` : ""} Where nothing was told for a day the line breaks.`;
    if (without.length === MATURITIES.length) return drawn.empty(why ?? "No constant maturity in this window: there were no expiries on both sides of any.");
    return drawn.draw(() => MATURITIES.filter((maturity) => !without.includes(maturity)).map((maturity, number) => {
      const told = of(maturity);
      return line(maturity, told.map(({ time: at }) => at), told.map((row) => row[measure]), { line: { dash: DASHES[number], color: colour(`series-${number}`) } });
    }), { yaxis: { tickformat: ".1%" }, uirevision: `${measure}${step}`, xaxis: { range: [window.start, window.end] } });
  };
  return made;
}
