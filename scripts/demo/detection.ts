/** How well a ranking of examples finds the ones looked for. */

/**
 * Area under the receiver operating characteristic: the chance that an example looked for scores higher than one
 * that is not, ties counting half. NaN where there are none of one kind.
 *
 * @see Hanley and McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 143 (1982).
 */
export function areaUnderCurve(scores: ArrayLike<number>, wanted: readonly boolean[]): number {
  const order = ascending(scores);
  let rankSum = 0;
  for (let start = 0; start < order.length;) {
    const score = scoreAt(scores, order[start]);
    let end = start;
    while (end < order.length && scoreAt(scores, order[end]) === score) end++;
    const rank = (start + 1 + end) / 2; // the mean of the ranks that equal scores share
    for (const i of order.slice(start, end)) if (wanted[i] === true) rankSum += rank;
    start = end;
  }
  const positives = wanted.filter(Boolean).length;
  const negatives = wanted.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** The share of the examples looked for that lie among the `inspected` share with the highest scores. */
export function shareFound(scores: ArrayLike<number>, wanted: readonly boolean[], inspected: number): number {
  const best = ascending(scores)
    .reverse()
    .slice(0, Math.floor(inspected * scores.length));
  return best.filter((i) => wanted[i] === true).length / wanted.filter(Boolean).length;
}

function ascending(scores: ArrayLike<number>): number[] {
  return Array.from(scores, (_, i) => i).sort((a, b) => scoreAt(scores, a) - scoreAt(scores, b));
}

function scoreAt(scores: ArrayLike<number>, i: number | undefined): number {
  return scores[i ?? -1] ?? NaN;
}
