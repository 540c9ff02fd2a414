/**
 * How far a score computed in float32 may be from the exact one.
 *
 * A sum of products in which every term passes at most m roundings, each of relative size u = 2^-24, differs from the
 * exact sum by at most gamma_m sum |q_i r_i| <= gamma_m |q| |r|, gamma_m = m u / (1 - m u), whatever the order of
 * additions and whether products are rounded (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1).
 */

/** Columns that a kernel sums before it adds what came to the sums so far. */
export const PANEL = 256;

/** Roundings outside the sums: of products, scaled queries, lanes, norms, and of the comparisons themselves. */
const OTHER_ROUNDINGS = 24;

const UNIT_ROUNDOFF = 2 ** -24;

/** Beyond this the simplifications below do not hold: 30 million columns. */
const LARGEST_GAMMA = 0.01;

/**
 * The margin of a score over `columns` columns in `ranges` stretches with a query of norm `queryNorm`, for a row of
 * norm 1; Infinity where nothing can be said. Multiplied by the computed norm of a row it is that row's margin:
 *
 * - the computed norm is at least |r| (1 - gamma), so a quarter more covers it;
 * - where the score is divided by the computed norm, that adds gamma |q| at most, once more.
 */
export function relativeMargin(
  queryNorm: number,
  columns: number,
  ranges: number,
  unitNorm: boolean,
): number {
  const roundings = PANEL + Math.ceil(columns / PANEL) + ranges + OTHER_ROUNDINGS;
  const gamma = (roundings * UNIT_ROUNDOFF) / (1 - roundings * UNIT_ROUNDOFF);
  if (!(gamma < LARGEST_GAMMA)) return queryNorm === 0 ? 0 : Infinity;
  return (unitNorm ? 2.5 : 1.25) * gamma * queryNorm;
}
