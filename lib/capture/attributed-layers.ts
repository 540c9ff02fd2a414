/** Finds every layer of a model that trains weights, at whatever depth, and names it by its path. */
import * as tf from '@tensorflow/tfjs';
import { UnknownLayerError, UnsupportedLayerError } from '../errors';
import {
  attributableClasses,
  findLayerGradient,
  type Layer,
  type GradientPart,
  type LayerGradient,
} from '../layers/layer-gradient';
import { trainableVariables } from '../layers/weight';

/** A layer whose per-example gradients are captured. */
export interface AttributedLayer {
  /** Its path: names of models and layers and, inside a custom layer, of the properties that hold it. */
  readonly path: string;
  readonly layer: Layer;
  readonly adapter: LayerGradient;
  readonly includeBias: boolean;
  /** Its gradient matrices, but for those left out. */
  readonly parts: readonly AttributedPart[];
}

/** One gradient matrix of a layer, with columns of its own in a row. */
export interface AttributedPart extends GradientPart {
  /** The layer's path and, if the layer has several parts, the part's name. */
  readonly path: string;
  /** Its place among the parts of the layer's adapter. */
  readonly index: number;
  /** [O, I] of the gradient. */
  readonly gradientShape: readonly [outputs: number, inputs: number];
}

export interface LayerSelection {
  /** Paths, each selecting the layer or the part it names and all layers inside it. Default: every layer with trained weights. */
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
 * @throws UnsupportedLayerError naming every selected layer with trained weights but no adapter that covers them.
 * @throws UnknownLayerError if a path selects nothing.
 */
export function findAttributedLayers(
  model: tf.LayersModel,
  { layers: paths, includeBias }: LayerSelection,
): AttributedLayer[] {
  const found = findTrainedLayers(model).map((each) => ({ ...each, parts: partsOf(each, includeBias) }));
  if (paths !== undefined) checkPaths(paths, found);
  const selected = found.flatMap((each) => {
    if (paths === undefined || paths.some((path) => isInside(each.path, path))) return [each];
    const parts = each.parts?.filter((part) => paths.includes(part.path)) ?? [];
    return parts.length === 0 ? [] : [{ ...each, parts }];
  });
  const unsupported = selected.filter(({ parts }) => parts === null);
  if (unsupported.length > 0) {
    throw new UnsupportedLayerError(
      unsupported.map(({ path, layer }) => ({ path, className: layer.getClassName() })),
      attributableClasses(),
    );
  }
  return selected.flatMap(({ path, layer, adapter, parts }) => {
    if (adapter === undefined || parts === null || parts.length === 0) return [];
    return [{ path, layer, adapter, includeBias, parts }];
  });
}

/** The parts of a layer whose weights are trained; null if it has no adapter, or one by which a part is trained by half. */
function partsOf(
  { path, layer, adapter, trained }: FoundLayer,
  includeBias: boolean,
): AttributedPart[] | null {
  if (adapter === undefined) return null;
  const isTrained = (weight: tf.Variable) => trained.includes(weight);
  const parts = adapter
    .parts(layer, includeBias)
    .map((part, index) => ({ ...part, index }))
    .filter(({ weights }) => weights.some(isTrained));
  if (!parts.every(({ weights }) => weights.every(isTrained))) return null;
  return parts.map((part) => ({
    ...part,
    path: part.name === '' ? path : `${path}.${part.name}`,
    gradientShape: tf.tidy(() => part.asMatrix([...part.weights]).shape),
  }));
}

/** Whether the layer at `path` is the one at `selected`, or inside it. */
function isInside(path: string, selected: string): boolean {
  return path === selected || path.startsWith(`${selected}.`);
}

/** @throws UnknownLayerError naming the paths that select nothing. */
function checkPaths(
  paths: readonly string[],
  found: readonly (FoundLayer & { parts: AttributedPart[] | null })[],
): void {
  const known = found.flatMap(({ path, parts }) => [path, ...(parts ?? []).map((part) => part.path)]);
  const unknown = paths.filter((selected) => !known.some((path) => isInside(path, selected)));
  if (unknown.length > 0) throw new UnknownLayerError(unknown, [...new Set(known)]);
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
