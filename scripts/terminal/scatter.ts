/** Draws points in a terminal, one character for each cell that holds any. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** What a cell shows by how many points it holds: one, a few, many. */
const MARKS = ['·', 'o', '@'] as const;
const FEW = 2;
const MANY = 5;

/**
 * Points on equal axes, so that those of equal coordinates lie on the diagonal, which is drawn too. Axes are
 * logarithmic away from zero (asinh of the value over the median size), since values far apart are all to be seen.
 */
export function drawScatter(points: readonly Point[], columns: number, rows: number): string[] {
  const sizes = points
    .flatMap(({ x, y }) => [Math.abs(x), Math.abs(y)])
    .filter((size) => size > 0)
    .sort((a, b) => a - b);
  const unit = sizes[Math.floor(sizes.length / 2)] ?? 1;
  const along = (value: number) => Math.asinh(value / unit);
  const limit = along(sizes.at(-1) ?? unit);
  const place = (value: number, cells: number) =>
    Math.round(((along(value) + limit) / (2 * limit)) * (cells - 1));
  const grid = Array.from({ length: rows }, (_, row) => {
    const diagonal = Math.round(((rows - 1 - row) / (rows - 1)) * (columns - 1));
    return Array.from({ length: columns }, (_, column): string => (column === diagonal ? '/' : ' '));
  });
  const counts = new Map<number, number>();
  for (const { x, y } of points) {
    const cell = (rows - 1 - place(y, rows)) * columns + place(x, columns);
    counts.set(cell, (counts.get(cell) ?? 0) + 1);
  }
  for (const [cell, count] of counts) {
    const line = grid[Math.floor(cell / columns)];
    if (line !== undefined) line[cell % columns] = MARKS[count >= MANY ? 2 : count >= FEW ? 1 : 0];
  }
  return grid.map((line) => `│${line.join('').trimEnd()}`).concat(`└${'─'.repeat(columns)}`);
}
