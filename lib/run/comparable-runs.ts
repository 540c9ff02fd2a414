/** Whether rows of two runs can be ranked together: made of the same layers, in the same way. */
import fs from 'node:fs';
import { IncomparableRunsError } from '../errors';
import { sha256File } from '../store/record-file';
import type { Run } from './run';
import type { RunManifest } from './run-manifest';
import { runPaths } from './run-paths';

/**
 * Throws IncomparableRunsError naming the first thing in which rows of `other` were made otherwise than those of `first`.
 * Under `otherWeights` the weights, and the second moments that gradients were divided by, may differ.
 */
export function checkComparable(first: Run, other: Run, otherWeights: boolean): void {
  const differ = (field: string, left: string, right: string) => {
    if (left !== right) throw new IncomparableRunsError(first.path, other.path, field, left, right);
  };
  const [left, right] = [describeLayers(first.manifest), describeLayers(other.manifest)];
  differ('layers', without(left, right), without(right, left));
  for (const [field, describe] of Object.entries(FACTS))
    differ(field, describe(first.manifest), describe(other.manifest));
  if (otherWeights) return;
  const { weightsDigest: digest } = first.manifest;
  const { weightsDigest: otherDigest } = other.manifest;
  // A run that has not finished does not know its weights.
  if (digest !== null && otherDigest !== null) differ('weights', digest, otherDigest);
  differ('second moments', digestNormalizer(first), digestNormalizer(other));
}

/** By what else rows differ, in the order in which it is looked at. */
const FACTS: Readonly<Record<string, (manifest: RunManifest) => string>> = {
  projection: ({ projection: { projectionDim, projectionType, projectionTarget, seed } }) =>
    projectionDim === 'exact'
      ? 'none'
      : `${projectionType} to ${projectionDim} by seed ${seed}${projectionTarget === 'global' ? ', all layers together' : ''}`,
  normalizer: ({ normalizer }) => (normalizer === 'identity' ? 'none' : normalizer),
  'what has a row': ({ frozen }) => (frozen?.attribute === 'tokens' ? 'each token' : 'each example'),
  'an example’s loss': ({ frozen }) => (frozen?.lossReduction === 'sum' ? 'sum' : 'mean'),
  'rows scaled by the learning rate': ({ scaledByLearningRate }) => (scaledByLearningRate ? 'yes' : 'no'),
};

function describeLayers({ layers }: RunManifest): string[] {
  return layers.map(({ path, gradientShape }) => `${path} [${gradientShape.join(', ')}]`);
}

/** Those of `layers` that are not among `others`, as a list to print. */
function without(layers: readonly string[], others: readonly string[]): string {
  const found = layers.filter((layer) => !others.includes(layer));
  return found.length === 0 ? 'no other' : found.join(', ');
}

function digestNormalizer({ path }: Run): string {
  const file = runPaths.normalizer(path);
  return fs.existsSync(file) ? `of sha256 ${sha256File(file)}` : 'none';
}
