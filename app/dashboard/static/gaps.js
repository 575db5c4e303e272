/** Times without data are gaps: a line ends before one and begins anew behind it. */

/**
 * Rows in order of `time`, with an empty one wherever what a row tells is over before the next begins.
 * @param {Object[]} rows @param {(row: Object) => number} lasts milliseconds for which a row holds
 * @param {string[]} fields those that are null in the empty ones
 */
export const broken = (rows, lasts, fields) => rows.flatMap((row, place) => {
  const over = row.time + lasts(row);
  return rows[place + 1]?.time > over ? [row, { ...row, time: over, ...Object.fromEntries(fields.map((field) => [field, null])) }] : [row];
});
