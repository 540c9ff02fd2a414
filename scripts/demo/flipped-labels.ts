/** Labels of which a known share is wrong. */
import { seededOrder, seededUniform } from './seeded';

export interface FlippedLabels {
  readonly labels: readonly number[];
  /** Whether each label was changed. */
  readonly flipped: readonly boolean[];
}

/** Changes `share` of `labels`, rounded down, to another of `classes` classes each, drawn by `seed`. */
export function flipLabels(
  labels: readonly number[],
  share: number,
  classes: number,
  seed: number,
): FlippedLabels {
  const chosen = new Set(seededOrder(labels.length, seed).slice(0, Math.floor(share * labels.length)));
  const draws = seededUniform(labels.length, seed + 1);
  return {
    labels: labels.map((label, i) => {
      if (!chosen.has(i)) return label;
      return (label + 1 + Math.floor((draws[i] ?? 0) * (classes - 1))) % classes;
    }),
    flipped: labels.map((_, i) => chosen.has(i)),
  };
}
