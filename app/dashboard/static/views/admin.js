/** For operators, with a key: history on order, the schedule, collectors, imports, errors. */

import { sections } from "../sections.js";
import { backfills } from "./admin/backfills.js";
import { collectors, errors } from "./admin/health.js";
import { imports } from "./admin/imports.js";
import { jobs } from "./admin/jobs.js";
import { sources } from "./data/sources.js";

export const view = sections({
  title: "Admin",
  parts: { backfills, jobs, sources, collectors, imports, errors },
  defaults: { days: "7" },
  kept: ["source"],
});
