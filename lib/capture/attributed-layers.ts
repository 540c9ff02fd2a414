/** Finds every layer of a model that trains weights, at whatever depth, and names it by its path. */
import * as tf from '@tensorflow/tfjs';
import { UnknownLayerError, UnsupportedLayerError } from '../errors';
import {
  attributableClasses,
  findLayerGradient,
  type Layer,
  type LayerGradient,
} from '../layers/layer-gradient';
import { trainableVariables } from '../layers/weight';

/** A layer whose per-example gradients are captured. */
export interface AttributedLayer {
  /** Its path: names of models and layers and, inside a custom layer, of the properties that hold it. */
  readonly path: string;
  readonly layer: Layer;
  readonly adapter: LayerGradient;
  /** The weights its gradient covers, the bias last. */
  readonly weights: readonly tf.Variable[];
  /** [O, I] of its gradient. */
  readonly gradientShape: readonly [outputs: number, inputs: number];
}

export interface LayerSelection {
  /** Paths, each selecting the layer it names and all layers inside it. Default: every layer with trained weights. */
  readonly layers?: readonly string[] | undefined;
  readonly includeBias: boolean;
}

interface FoundLayer {
  readonly path: string;
  readonly layer: Layer;
  readonly adapter: LayerGradient | undefined;
  /** Trained weights that this layer, and none inside it, holds. */
  readonly trained: readonly tf.Variable[];
}

/**
 * The layers of `model` to attribute, in the model's order.
 * @throws UnsupportedLayerError naming every selected layer with trained weights but no adapter.
 * @throws UnknownLayerError if a path selects nothing.
 */
export function findAttributedLayers(model: tf.LayersModel, selection: LayerSelection): AttributedLayer[] {
  const found = findTrainedLayers(model);
  const selected = select(found, selection.layers);
  const unsupported = selected.filter(({ adapter }) => adapter === undefined);
  if (unsupported.length > 0) {
    throw new UnsupportedLayerError(
      unsupported.map(({ path, layer }) => ({ path, className: layer.getClassName() })),
      attributableClasses(),
    );
  }
  return selected.flatMap(({ path, layer, adapter }) => {
    const weights = adapter?.weights(layer, selection.includeBias) ?? [];
    if (adapter === undefined || weights.length === 0) return [];
    const gradientShape = tf.tidy(() => adapter.asMatrix(layer, weights).shape);
    return [{ path, layer, adapter, weights, gradientShape }];
  });
}

function select(found: FoundLayer[], paths: readonly string[] | undefined): FoundLayer[] {
  if (paths === undefined) return found;
  const chooses = (path: string, layer: FoundLayer) =>
    layer.path === path || layer.path.startsWith(`${path}.`);
  const unknown = paths.filter((path) => !found.some((layer) => chooses(path, layer)));
  if (unknown.length > 0) {
    throw new UnknownLayerError(
      unknown,
      found.map(({ path }) => path),
    );
  }
  return found.filter((layer) => paths.some((path) => chooses(path, layer)));
}

/** Every layer of `model` that itself holds weights the model trains, each once, in the model's order. */
function findTrainedLayers(model: tf.LayersModel): FoundLayer[] {
  const trained = new Set(trainableVariables(model));
  const visited = new Set<Layer>();
  const found: FoundLayer[] = [];

  /** Visits a layer; returns the trained weights found in it and below. */
  const visit = (layer: Layer, path: string): Set<tf.Variable> => {
    if (visited.has(layer)) return new Set();
    visited.add(layer);
    const position = found.length;
    const adapter = findLayerGradient(layer.getClassName());
    const inside = new Set<tf.Variable>();
    if (adapter === undefined) {
      for (const [name, child] of childrenOf(layer)) {
        for (const weight of visit(child, `${path}.${name}`)) inside.add(weight);
      }
    }
    const own = trainableVariables(layer).filter((weight) => trained.has(weight) && !inside.has(weight));
    if (own.length > 0) found.splice(position, 0, { path, layer, adapter, trained: own });
    return new Set([...inside, ...own]);
  };

  for (const layer of model.layers) visit(layer, layer.name);
  return found;
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
