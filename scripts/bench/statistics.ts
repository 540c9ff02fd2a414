/** Order statistics of timings: medians and quartiles, which one slow repeat does not move. */

export interface Spread {
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

/** Of at least one value; between ranks, linear. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const quantile = (fraction: number) => {
    const rank = fraction * (sorted.length - 1);
    const below = sorted[Math.floor(rank)] ?? NaN;
    const above = sorted[Math.ceil(rank)] ?? NaN;
    return below + (above - below) * (rank - Math.floor(rank));
  };
  return { median: quantile(0.5), lowerQuartile: quantile(0.25), upperQuartile: quantile(0.75) };
}
