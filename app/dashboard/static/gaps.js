/** Times without data are gaps: a line ends before one and begins anew behind it. */

/**
 * Rows in order of `time` as places and values of a line, with a null where more than a step is missing between two.
 * @param {Object[]} rows @param {number} step milliseconds from one row to the next @param {string} field what is drawn
 */
export function broken(rows, step, field) {
  const times = [];
  const values = [];
  rows.forEach((row, place) => {
    const before = rows[place - 1]?.time;
    if (before !== undefined && row.time - before > step) {
      times.push(before + step);
      values.push(null);
    }
    times.push(row.time);
    values.push(row[field]);
  });
  return { times, values };
}
