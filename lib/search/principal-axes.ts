/**
 * Few directions that hold most of a set of rows: a random projection of the rows, sharpened by the rows themselves
 * (Halko, Martinsson and Tropp 2011, algorithm 4.4).
 */

/** Rounds of multiplying by the rows' second moments: each makes the directions that hold more grow over the others. */
const ROUNDS = 3;

/** Orthonormal directions, those that hold most first: [count, width]. */
export interface Axes {
  readonly count: number;
  readonly values: Float32Array;
}

/**
 * The fewest orthonormal directions, a multiple of 8 and at most `most`, that hold `share` of the squared norm of
 * `rows` [n, width] of norm 1 or 0; `most` where none do. They are found from the even rows, and what they hold
 * is measured on the odd ones, which did not shape them. `normal` gives standard normal numbers.
 */
export function principalAxes(
  rows: Float32Array,
  width: number,
  { most, share, normal }: { readonly most: number; readonly share: number; readonly normal: () => number },
): Axes {
  const count = rows.length / width;
  const [even, odd] = [0, 1].map((parity) =>
    Array.from({ length: Math.ceil((count - parity) / 2) }, (_, i) =>
      Float64Array.from(rows.subarray((2 * i + parity) * width, (2 * i + parity + 1) * width)),
    ),
  );
  const directions = Array.from({ length: Math.min(most, width) }, () =>
    Float64Array.from({ length: width }, normal),
  );
  orthonormalize(directions);
  for (let round = 0; round < ROUNDS; round++) {
    const images = directions.map(() => new Float64Array(width));
    for (const row of even ?? []) {
      directions.forEach((direction, i) => {
        addScaled(images[i] ?? row, row, dot(row, direction));
      });
    }
    directions.forEach((direction, i) => {
      // A direction that no row has any part in stays what it is.
      if (images[i]?.some((value) => value !== 0)) direction.set(images[i]);
    });
    orthonormalize(directions);
  }
  const measured = odd?.length ? odd : (even ?? []);
  const held = directions.map((direction) => ({
    direction,
    energy: measured.reduce((sum, row) => sum + dot(row, direction) ** 2, 0),
  }));
  held.sort((a, b) => b.energy - a.energy);
  const total = measured.reduce((sum, row) => sum + dot(row, row), 0);
  let chosen = 0;
  for (let sum = 0; chosen < held.length && (sum < share * total || chosen % 8 !== 0); chosen++) {
    sum += held[chosen]?.energy ?? 0;
  }
  chosen = Math.max(1, chosen);
  const values = new Float32Array(chosen * width);
  held.slice(0, chosen).forEach(({ direction }, i) => {
    values.set(direction, i * width);
  });
  return { count: chosen, values };
}

/** Gram and Schmidt, twice, which is enough for full precision; directions without anything of their own become zeros. */
function orthonormalize(directions: readonly Float64Array[]): void {
  directions.forEach((direction, i) => {
    const before = Math.sqrt(dot(direction, direction));
    for (let pass = 0; pass < 2; pass++) {
      for (const other of directions.slice(0, i)) addScaled(direction, other, -dot(direction, other));
    }
    const norm = Math.sqrt(dot(direction, direction));
    const scale = norm > 1e-10 * before ? 1 / norm : 0;
    for (let k = 0; k < direction.length; k++) direction[k] = (direction[k] ?? 0) * scale;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let [even, odd] = [0, 0];
  for (let i = 0; i < a.length; i += 2) {
    even += (a[i] ?? 0) * (b[i] ?? 0);
    odd += (a[i + 1] ?? 0) * (b[i + 1] ?? 0);
  }
  return even + odd;
}

function addScaled(to: Float64Array, from: Float64Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] ?? 0) + scale * (from[i] ?? 0);
}
