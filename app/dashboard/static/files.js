/** Files of the API, taken home with the key of this tab, which a plain link would not send. */

import { Problem, address, blobOf } from "./api.js";
import { download, fill, h } from "./dom.js";
import { refusal } from "./places.js";

const MEDIA = "text/csv";

/** A link to all rows of a question as CSV. What the API refuses is said beside it. */
export function csvLink(text, path, query) {
  const href = address(path, { ...query, limit: null, format: "csv" });
  const trouble = h("span", { role: "alert" });
  const name = `${path.replace(/^\//, "").replaceAll("/", "-")}.csv`;
  return [h("a", { href, download: name, onclick: (event) => { event.preventDefault(); take(href, name, trouble); } }, text), trouble];
}

async function take(href, name, trouble) {
  fill(trouble, " …");
  try {
    download(name, MEDIA, await blobOf(href, MEDIA));
    fill(trouble);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    fill(trouble, refusal(error));
  }
}
