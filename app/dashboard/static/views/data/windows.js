/** The words that say which time is looked at, and where to look instead if nothing is there. */

import { Problem } from "../../api.js";
import { h } from "../../dom.js";
import { day } from "../../format.js";

const DAY = 86_400_000;

/** The window an answer is of, in words. */
export const spanned = ({ window }) => (window?.start ? `${text(window.start)} to ${text(window.end)} UTC` : "");

const text = (at) => (typeof at === "number" ? new Date(at).toISOString() : at).slice(0, 16).replace("T", " ");

/** A way to the last days of which something is stored of the asset that is asked about; null: nothing is. */
export async function elsewhere(page, days) {
  const { asset } = page.params;
  if (!asset || asset.includes(",")) return null;
  const last = await newest(page, asset);
  if (!last) return null;
  const end = day(Date.parse(last) + DAY);
  const start = day(Date.parse(end) - days * DAY);
  return h("p", {}, `The newest that is stored of ${asset} is of ${day(Date.parse(last))}. `,
    h("a", { href: page.link(page.name, { ...page.params, start: `${start}T00:00`, end: `${end}T00:00` }) }, `Look at ${start} to ${end}`));
}

async function newest(page, asset) {
  try {
    const answer = await page.get(`/entities/${encodeURIComponent(asset)}`);
    const times = (answer?.rows[0]?.data ?? []).map(({ last }) => last).filter(Boolean);
    return times.length ? times.sort().at(-1) : null;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}
