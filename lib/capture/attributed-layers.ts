/** Chooses which of a model's trained layers are attributed, and lays out their gradient matrices. */
import tf = require('@tensorflow/tfjs');
import { UnknownLayerError, UnsupportedLayerError } from '../errors';
import { splitHeads, type Attention } from '../layers/attention-heads';
import { pathOfPart, type GradientPart, type Layer } from '../layers/layer-gradient';
import { findTrainedLayers, type TrainedLayer } from './trained-layers';

/** A layer whose per-example gradients are captured. */
export interface AttributedLayer extends Omit<TrainedLayer, 'weights' | 'trained'> {
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

/** Whether biases are attributed, or paths of the layers whose biases are, each with all layers inside it. */
export type IncludeBias = boolean | readonly string[];

export interface LayerSelection {
  /** Paths, each selecting the layer or the part it names and all layers inside it. Default: every layer with trained weights. */
  readonly layers?: readonly string[] | undefined;
  readonly includeBias: IncludeBias;
  /** Layers whose gradients are split by attention head. Default: none. */
  readonly attention?: Attention | undefined;
}

/**
 * The layers of `model` to attribute, in the model's order.
 * @throws UnsupportedLayerError naming every selected layer whose outputs do not lie by example.
 * @throws UnknownLayerError if a path selects nothing.
 * @throws AttentionHeadsError, InvalidOptionError if a layer cannot be split by head.
 */
export function findAttributedLayers(
  model: tf.LayersModel,
  { layers: paths, includeBias, attention = {} }: LayerSelection,
): AttributedLayer[] {
  const trained = findTrainedLayers(model);
  checkAttention(attention, trained);
  const found = trained.map((layer) => attribute(layer, includeBias, attention));
  if (paths !== undefined) checkPaths('layers', paths, found);
  if (typeof includeBias !== 'boolean') checkPaths('includeBias', includeBias, found);
  const selected = found.flatMap((each) => {
    if (paths === undefined || paths.some((path) => isInside(each.path, path))) return [each];
    return [{ ...each, parts: each.parts.filter((part) => paths.some((path) => isInside(part.path, path))) }];
  });
  const attributed = selected.filter(({ parts }) => parts.length > 0);
  const unsupported = attributed.filter(({ layer }) => shapeWithoutBatch(layer) !== undefined);
  if (unsupported.length > 0) {
    throw new UnsupportedLayerError(
      unsupported.map(({ path, layer }) => ({
        path,
        className: layer.getClassName(),
        outputShape: shapeWithoutBatch(layer) ?? [],
      })),
    );
  }
  return attributed;
}

/** Whether the biases of the layer at `path` are attributed. */
export function includesBias(path: string, included: IncludeBias): boolean {
  return typeof included === 'boolean' ? included : included.some((selected) => isInside(path, selected));
}

/** A layer with the parts of it that are trained. */
function attribute(found: TrainedLayer, included: IncludeBias, attention: Attention): AttributedLayer {
  const { path, layer, fallback, trained } = found;
  const adapter = splitHeads(found.adapter, layer, path, attention);
  const includeBias = includesBias(path, included);
  const parts = adapter
    .parts(layer, includeBias)
    .map((part, index) => ({ ...part, index }))
    .filter(({ weights }) => weights.some((weight) => trained.has(weight)))
    .map((part) => ({
      ...part,
      path: pathOfPart(path, part),
      gradientShape: tf.tidy(() => part.asMatrix([...part.weights]).shape),
    }));
  return { path, layer, adapter, fallback, includeBias, parts };
}

/** Whether the layer at `path` is the one at `selected`, or inside it. */
function isInside(path: string, selected: string): boolean {
  return path === selected || path.startsWith(`${selected}.`);
}

/** @throws UnknownLayerError naming the paths that select nothing. */
function checkPaths(option: string, paths: readonly string[], found: readonly AttributedLayer[]): void {
  const known = found.flatMap(({ path, parts }) => [path, ...parts.map((part) => part.path)]);
  const unknown = paths.filter((selected) => !known.some((path) => isInside(path, selected)));
  if (unknown.length > 0) throw new UnknownLayerError(option, unknown, [...new Set(known)]);
}

/** @throws UnknownLayerError naming what is to be split and is neither a layer with one part nor a part. */
function checkAttention(attention: Attention, trained: readonly TrainedLayer[]): void {
  const known = trained.flatMap(({ path, layer, adapter }) =>
    adapter.parts(layer, true).map((part) => pathOfPart(path, part)),
  );
  const unknown = Object.keys(attention).filter((path) => !known.includes(path));
  if (unknown.length > 0) throw new UnknownLayerError('attention', unknown, known);
}

/** The shape of an output of which the first axis is that of no input, as far as the model's graph tells. */
function shapeWithoutBatch(layer: Layer): tf.Shape | undefined {
  return layer.inboundNodes
    .flatMap(({ inputTensors, outputTensors }) =>
      outputTensors.filter(
        (output) =>
          !inputTensors.some((input) => input.shape.length > 0 && input.shape[0] === output.shape[0]),
      ),
    )
    .at(0)?.shape;
}
