/** Finds every layer of a model that trains weights, at whatever depth, and what yields its per-example gradients. */
import * as tf from '@tensorflow/tfjs';
import { fallbackGradient } from '../layers/fallback';
import { findLayerGradient, type Layer, type LayerGradient } from '../layers/layer-gradient';
import { trainableVariables } from '../layers/weight';

export interface TrainedLayer {
  /** Names of models and layers and, inside a custom layer, of the properties that hold it. */
  readonly path: string;
  readonly layer: Layer;
  readonly adapter: LayerGradient;
  /** Whether that is the fallback. */
  readonly fallback: boolean;
  /** Trained weights that this layer, and none that was found inside it, holds. */
  readonly trained: ReadonlySet<tf.Variable>;
}

/**
 * Every layer of `model` that itself holds weights the model trains, each once, in the model's order. A layer whose
 * class has an adapter for all of them is taken whole; any other is looked into, and what weights it holds beside those
 * of the layers inside it are left to the fallback.
 */
export function findTrainedLayers(model: tf.LayersModel): TrainedLayer[] {
  const trained = new Set(trainableVariables(model));
  const weightsBelow = new Map<Layer, ReadonlySet<tf.Variable>>();
  const found: TrainedLayer[] = [];

  /** Visits a layer; returns the trained weights found in it and below. */
  const visit = (layer: Layer, path: string): ReadonlySet<tf.Variable> => {
    const known = weightsBelow.get(layer);
    if (known !== undefined) return known;
    // A layer that holds one it is inside of meets it here.
    weightsBelow.set(layer, new Set());
    const weights = new Set(trainableVariables(layer).filter((weight) => trained.has(weight)));
    const adapter = adapterOf(layer, weights);
    const position = found.length;
    const inside = new Set<tf.Variable>();
    if (adapter === undefined) {
      for (const [name, child] of childrenOf(layer)) {
        for (const weight of visit(child, `${path}.${name}`)) inside.add(weight);
      }
    }
    const own = new Set([...weights].filter((weight) => !inside.has(weight)));
    if (own.size > 0) {
      const fallback = adapter === undefined;
      const used = adapter ?? fallbackGradient(path, layer, own);
      found.splice(position, 0, { path, layer, adapter: used, fallback, trained: own });
    }
    const all = new Set([...inside, ...own]);
    weightsBelow.set(layer, all);
    return all;
  };

  for (const layer of model.layers) visit(layer, layer.name);
  return found;
}

/** The class's adapter, if it covers all the layer trains and nothing that is frozen lies in one part with that. */
function adapterOf(layer: Layer, trained: ReadonlySet<tf.Variable>): LayerGradient | undefined {
  const adapter = findLayerGradient(layer.getClassName());
  if (adapter === undefined || trained.size === 0) return undefined;
  const parts = adapter.parts(layer, true);
  const covered = new Set(parts.flatMap(({ weights }) => weights));
  const isTrained = (weight: tf.Variable) => trained.has(weight);
  const whole = parts.every(({ weights }) => weights.every(isTrained) || !weights.some(isTrained));
  return whole && [...trained].every((weight) => covered.has(weight)) ? adapter : undefined;
}

/** The layers directly inside: a nested model's by their names, a custom layer's by the properties that hold them. */
function childrenOf(layer: Layer): [name: string, child: Layer][] {
  if (layer instanceof tf.LayersModel) return layer.layers.map((child) => [child.name, child]);
  return Object.entries(layer).flatMap(([name, value]: [string, unknown]): [string, Layer][] => {
    if (value instanceof tf.layers.Layer) return [[name, value]];
    if (!Array.isArray(value)) return [];
    return value.flatMap((item: unknown, i): [string, Layer][] =>
      item instanceof tf.layers.Layer ? [[`${name}.${i}`, item]] : [],
    );
  });
}
