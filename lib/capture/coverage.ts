/** How much of a model is attributed, layer by layer, and why what is not is not. */
import type * as tf from '@tensorflow/tfjs';
import { includesBias, type AttributedLayer, type IncludeBias } from './attributed-layers';
import type { GradientPart } from '../layers/layer-gradient';
import { findWeightedLayers, type WeightedLayer } from './trained-layers';

/** The parameters of a layer that it holds itself, and not in layers inside it. */
export interface LayerCoverage {
  readonly path: string;
  readonly className: string;
  readonly parameters: number;
  /** Those that the model trains: neither frozen nor, such as moving averages, changed by other means than gradients. */
  readonly trained: number;
  /** Those of the trained ones whose gradients are in a row. */
  readonly attributed: number;
  /** Whether its gradients come from running it once more for each example alone. */
  readonly fallback: boolean;
  /** Why not all parameters that it trains are attributed, or why it trains none; null if all are. */
  readonly reason: string | null;
}

export interface Coverage {
  /** Parameters, over all layers. */
  readonly attributed: number;
  readonly trained: number;
  /** In the model's order. */
  readonly layers: readonly LayerCoverage[];
}

/** What `attributed`, layers of `model`, cover of it. */
export function describeCoverage(
  model: tf.LayersModel,
  attributed: readonly AttributedLayer[],
  includeBias: IncludeBias,
): Coverage {
  const covered = coveredElements(attributed.flatMap(({ parts }) => parts));
  const counted = new Set<tf.Variable>();
  const layers = findWeightedLayers(model).map((each): LayerCoverage => {
    const { path, layer, fallback } = each;
    // A weight that several layers share is the first one's.
    const weights = [...each.weights].filter((weight) => !counted.has(weight));
    for (const weight of weights) counted.add(weight);
    const trained = weights.filter((weight) => each.trained.has(weight));
    const coveredOf = (weight: tf.Variable) => covered.get(weight) ?? 0;
    const missing = trained.filter((weight) => coveredOf(weight) < weight.size);
    return {
      path,
      className: layer.getClassName(),
      parameters: countElements(weights),
      trained: countElements(trained),
      attributed: trained.reduce((sum, weight) => sum + coveredOf(weight), 0),
      fallback,
      reason:
        each.trained.size === 0 ? 'not trained' : explain(each, missing, includesBias(path, includeBias)),
    };
  });
  return {
    attributed: layers.reduce((sum, layer) => sum + layer.attributed, 0),
    trained: layers.reduce((sum, layer) => sum + layer.trained, 0),
    layers,
  };
}

/** How many elements of each weight have their gradients in a row: all, or those of the heads that are attributed. */
function coveredElements(parts: readonly GradientPart[]): Map<tf.Variable, number> {
  const slices = new Map<tf.Variable, Map<string, number>>();
  for (const { weights, head = { index: 0, of: 1 } } of parts) {
    for (const weight of weights) {
      const sizes = slices.get(weight) ?? new Map<string, number>();
      slices.set(weight, sizes.set(`${head.index} of ${head.of}`, weight.size / head.of));
    }
  }
  const total = (sizes: Map<string, number>) => [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return new Map([...slices].map(([weight, sizes]) => [weight, Math.min(weight.size, total(sizes))]));
}

/** Every trained weight is in a part of its layer, biases if they are included: what is missing was not asked for. */
function explain(
  { layer, adapter }: WeightedLayer,
  missing: readonly tf.Variable[],
  includeBias: boolean,
): string | null {
  const parts = adapter?.parts(layer, includeBias) ?? [];
  const wanted = new Set(parts.flatMap(({ weights }) => weights));
  const reasons = missing.map((weight) =>
    wanted.has(weight) ? 'not selected by `layers`' : 'bias left out by `includeBias`',
  );
  return reasons.length === 0 ? null : [...new Set(reasons)].join('; ');
}

function countElements(weights: readonly tf.Variable[]): number {
  return weights.reduce((sum, { size }) => sum + size, 0);
}
