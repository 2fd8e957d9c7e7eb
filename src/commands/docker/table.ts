/** Columns as the docker client writes them (Go's text/tabwriter): as wide as the widest cell and three spaces, at least ten; the last is not padded. */
const LEAST_WIDTH = 10;
const GAP = 3;

/** Rows of equal length, the header first. */
export function table(rows: readonly (readonly string[])[], leastWidth = LEAST_WIDTH): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? leastWidth, lengthOf(cell) + GAP);
  return rows
    .map((row) => {
      const cells = row.map((cell, column) =>
        column === row.length - 1 ? cell : cell + " ".repeat(widths[column]! - lengthOf(cell)),
      );
      return `${cells.join("")}\n`;
    })
    .join("");
}

/** In characters, not in UTF-16 units. */
function lengthOf(text: string): number {
  return [...text].length;
}

/** The first `length` characters, the last of them an ellipsis if some are left out. */
export function ellipsis(text: string, length: number): string {
  const letters = [...text];
  return letters.length <= length ? text : `${letters.slice(0, length - 1).join("")}…`;
}
