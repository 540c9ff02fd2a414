/** Finds every layer of a model that holds weights, at whatever depth, and what yields its per-example gradients. */
import tf = require('@tensorflow/tfjs');
import { fallbackGradient } from '../layers/fallback';
import { findLayerGradient, type Layer, type LayerGradient } from '../layers/layer-gradient';
import { trainableVariables, variables } from '../layers/weight';

/** A layer that holds weights itself, and not only in layers inside it. */
export interface WeightedLayer {
  /** Names of models and layers and, inside a custom layer, of the properties that hold it. */
  readonly path: string;
  readonly layer: Layer;
  /** Null if it trains none of its weights. */
  readonly adapter: LayerGradient | null;
  /** Whether that is the fallback. */
  readonly fallback: boolean;
  /** The weights that this layer, and none that was found inside it, holds. */
  readonly weights: ReadonlySet<tf.Variable>;
  /** Those of them that the model trains. */
  readonly trained: ReadonlySet<tf.Variable>;
}

export interface TrainedLayer extends WeightedLayer {
  readonly adapter: LayerGradient;
}

/** The layers of `model` that themselves hold weights the model trains, in the model's order. */
export function findTrainedLayers(model: tf.LayersModel): TrainedLayer[] {
  return findWeightedLayers(model).flatMap(({ adapter, ...layer }) =>
    adapter === null ? [] : [{ ...layer, adapter }],
  );
}

/**
 * Every layer of `model` that itself holds weights, each once, in the model's order. A layer whose class has an adapter
 * for all of those it trains is taken whole; any other is looked into, and what weights it holds beside those of the
 * layers inside it are left to the fallback.
 */
export function findWeightedLayers(model: tf.LayersModel): WeightedLayer[] {
  const trainedByModel = new Set(trainableVariables(model));
  const weightsBelow = new Map<Layer, ReadonlySet<tf.Variable>>();
  const found: WeightedLayer[] = [];

  /** Visits a layer; returns the weights found in it and below. */
  const visit = (layer: Layer, path: string): ReadonlySet<tf.Variable> => {
    const known = weightsBelow.get(layer);
    if (known !== undefined) return known;
    // A layer that holds one it is inside of meets it here.
    weightsBelow.set(layer, new Set());
    const all = variables(layer);
    const adapter = adapterOf(layer, new Set(all.filter((weight) => trainedByModel.has(weight))));
    const position = found.length;
    const inside = new Set<tf.Variable>();
    if (adapter === undefined) {
      for (const [name, child] of childrenOf(layer)) {
        for (const weight of visit(child, `${path}.${name}`)) inside.add(weight);
      }
    }
    const weights = new Set(all.filter((weight) => !inside.has(weight)));
    const trained = new Set([...weights].filter((weight) => trainedByModel.has(weight)));
    if (weights.size > 0) {
      const fallback = adapter === undefined && trained.size > 0;
      const used = adapter ?? (fallback ? fallbackGradient(path, layer, trained) : null);
      found.splice(position, 0, { path, layer, adapter: used, fallback, weights, trained });
    }
    const below = new Set([...inside, ...weights]);
    weightsBelow.set(layer, below);
    return below;
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
