/** How the learning rate goes over a training. */

export interface Schedule {
  /** The highest rate. */
  readonly peak: number;
  /** Steps on which the rate rises to it. */
  readonly warmupSteps: number;
  /** Steps in all. */
  readonly steps: number;
}

/** What is left of the peak at the end. */
const FLOOR = 0.1;

/**
 * The rate of `step`, from 0: it rises linearly to the peak, then falls along half a cosine to a tenth of it, where it stays.
 * Loshchilov & Hutter, SGDR, 2017, equation 5.
 */
export function learningRateAt(step: number, { peak, warmupSteps, steps }: Schedule): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const done = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return peak * (FLOOR + ((1 - FLOOR) * (1 + Math.cos(Math.PI * done))) / 2);
}
