/** How good what is stored is: who tells it, how fresh and whole it is, what was refused, and what it takes. */

import { sections } from "../sections.js";
import { coverage } from "./data/coverage.js";
import { disagreements } from "./data/disagreements.js";
import { freshness } from "./data/freshness.js";
import { gaps } from "./data/gaps.js";
import { pulls } from "./data/pulls.js";
import { rejects, unmapped } from "./data/refused.js";
import { sources } from "./data/sources.js";
import { storage } from "./data/storage.js";

export const view = sections({
  title: "Data",
  parts: { sources, freshness, coverage, gaps, rejects, disagreements, pulls, storage, unmapped },
  kept: ["asset", "exchange", "start", "end"],
});
