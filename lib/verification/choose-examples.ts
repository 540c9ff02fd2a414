/** Which examples are worth unlearning to see whether a query's scores hold. */

/**
 * Places of `count` of the `scores`: a third the highest, a third the lowest, and the rest spread evenly over the
 * ranks between, in the order of their scores from the highest down. All places where there are no more than `count`.
 */
export function chooseExamples(scores: ArrayLike<number>, count: number): number[] {
  const ranked = Array.from(scores, (_, i) => i).sort((a, b) => (scores[b] ?? NaN) - (scores[a] ?? NaN));
  if (ranked.length <= count) return ranked;
  const end = Math.floor(count / 3);
  const between = count - 2 * end;
  const middle = ranked.slice(end, ranked.length - end);
  const spread = Array.from(
    { length: between },
    (_, i) => middle[Math.floor(((i + 0.5) * middle.length) / between)] ?? NaN,
  );
  return [...ranked.slice(0, end), ...spread, ...ranked.slice(ranked.length - end)];
}
