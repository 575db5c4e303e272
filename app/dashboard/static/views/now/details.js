/** What a cell of the heat map is made of, in words. */

import { h } from "../../dom.js";
import { MISSING, PER, age, countdown, percent, rate, time, usd } from "../../format.js";
import { clock, isStale } from "./market.js";

const HOW = { declared: "declared by the exchange", inferred: "read off its settlements", assumed: "assumed" };

const item = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

/** Every contract of one asset at one exchange; the first is the one in the cell. */
export function ofExchange(line, exchange, words) {
  const now = clock(words);
  const contracts = line.told.get(exchange);
  const name = h("strong", {}, `${line.asset} at ${exchange}`);
  if (!contracts) return [name, h("p", {}, `${MISSING} No settlement is stored: ${exchange} has no perpetual of ${line.asset}, or it was not pulled yet (see Data).`)];
  const more = contracts.length > 1 ? `, ${contracts.length} contracts: the one with the most open interest is in the cell` : "";
  const missing = words.kind === "predicted" && contracts[0].predicted_rate === null ? h("p", {}, `${MISSING} No estimate of the next settlement is known.`) : null;
  return [h("p", {}, name, more), missing, contracts.map((one) => ofContract(one, words.per, now))];
}

function ofContract(one, per, now) {
  const old = isStale(one, now) ? h("strong", { class: "warning" }, " no longer in force: older than 1.5 intervals") : null;
  return h("dl", { class: "facts" },
    item("contract", one.instrument),
    item(`rate per ${PER[per]}`, rate(one.rate, per), old),
    item("as paid", `${percent(one.rate_native)} for ${one.interval_hours} h`),
    item("interval", HOW[one.interval_known] ?? MISSING),
    item("settled", `${time(one.time)}, ${age((now - one.time) / 1000)} old`),
    item("next", one.next_time ? `${time(one.next_time)}, in ${countdown(one.next_time, now)}` : `${MISSING} not known`),
    item(`predicted per ${PER[per]}`, one.predicted_rate === null ? `${MISSING} not known` : rate(one.predicted_rate, per)),
    item("open interest", one.oi_usd === null ? `${MISSING} none known within 2 h` : usd(one.oi_usd)),
    item("told by", one.source));
}

/** The mean over all exchanges, and who is in it. */
export function ofAsset(line, words) {
  const now = clock(words);
  const { mean } = line;
  if (!mean) return [h("strong", {}, line.asset), h("p", {}, `${MISSING} No rate of it was in force in the last 30 days.`)];
  const named = (names) => names.join(", ") || MISSING;
  return [h("p", {}, h("strong", {}, line.asset), ", all exchanges"), h("dl", { class: "facts" },
    item(`OI-weighted per ${PER[words.per]}`, mean.rate === null ? `${MISSING} no open interest is known of rates in force` : rate(mean.rate, words.per)),
    item("plain mean", rate(mean.mean, words.per)), item("median", rate(mean.median, words.per)),
    item("lowest", rate(mean.min, words.per)), item("highest", rate(mean.max, words.per)),
    item("open interest in it", usd(mean.oi_usd)), item("of what is expected", percent(mean.coverage, 1)),
    item("next settlement", mean.next_time ? `${time(mean.next_time)}, in ${countdown(mean.next_time, now)}` : `${MISSING} not known`),
    item("in the mean", named(mean.present)), item("weight unknown or old", named(mean.stale)), item("no rate in force", named(mean.missing)))];
}
