/**
 * Splits a layer's gradient by attention head: each head's outputs become a part of their own, with columns, a
 * projection and second moments of their own. What splits is wrapped around the layer's adapter, which knows nothing of it.
 */
import tf = require('@tensorflow/tfjs');
import { AttentionHeadsError, InvalidOptionError } from '../errors';
import type { Factors } from './factors';
import { pathOfPart, type GradientPart, type Layer, type LayerGradient } from './layer-gradient';

/** How the outputs of a linear map are divided among heads: head h has those from h * headSize up to (h + 1) * headSize. */
export interface AttentionHeads {
  readonly numHeads: number;
  /** Outputs of one head. All heads together have all the map's. */
  readonly headSize: number;
  /**
   * The axis of the loss's gradient at the map's output along which heads lie: that of its outputs, since only those
   * have weights of their own. It is the last, counted from the batch's (2 of [N, S, O]) or from the end (-1, whatever
   * the rank). A layer that keeps channels first counts as if it kept them last.
   */
  readonly headDim: number;
}

/** By the path of the layer, or of the part of a layer that has several, whose gradient is to be split. */
export type Attention = Readonly<Record<string, AttentionHeads>>;

/**
 * The adapter of the layer at `path`, but that the parts named in `attention` are split into `head_0`, `head_1`, …;
 * the adapter itself if there are none. Stacked, the heads' gradients are the part's.
 *
 * `parts` throws AttentionHeadsError and InvalidOptionError, `forward` AttentionHeadsError.
 */
export function splitHeads(
  adapter: LayerGradient,
  layer: Layer,
  path: string,
  attention: Attention,
): LayerGradient {
  const headsOf = (part: GradientPart) => attention[pathOfPart(path, part)];
  if (!adapter.parts(layer, true).some(headsOf)) return adapter;
  return {
    className: adapter.className,

    parts: (layer, includeBias) =>
      adapter.parts(layer, includeBias).flatMap((part) => {
        const heads = headsOf(part);
        if (heads === undefined) return [part];
        const location = { path: pathOfPart(path, part), className: layer.getClassName() };
        const outputs = layer.inboundNodes.flatMap(({ outputTensors }) => outputTensors);
        checkHeads(location, heads, part);
        for (const { shape } of outputs) checkAxis(location, heads, shape);
        return headIndices(heads).map((head) => partOfHead(part, heads, head));
      }),

    forward(context, tap) {
      const { layer, includeBias } = context;
      const parts = adapter.parts(layer, includeBias);
      return adapter.forward(context, (output, saved, factorsOf) => {
        for (const part of parts) {
          const heads = headsOf(part);
          const location = { path: pathOfPart(path, part), className: layer.getClassName() };
          if (heads !== undefined) checkAxis(location, heads, output.shape);
        }
        return tap(output, saved, (kept, outputGradient) =>
          factorsOf(kept, outputGradient).flatMap((factors, index) => {
            const heads = headsOf(parts[index] as GradientPart);
            if (heads === undefined) return [factors];
            return headIndices(heads).map((head) => factors && factorsOfHead(factors, heads, head));
          }),
        );
      });
    },
  };
}

function headIndices({ numHeads }: AttentionHeads): number[] {
  return Array.from({ length: numHeads }, (_, head) => head);
}

function partOfHead(part: GradientPart, { numHeads, headSize }: AttentionHeads, head: number): GradientPart {
  const { name, weights, asMatrix, asKernel } = part;
  const first = head * headSize;
  return {
    name: name === '' ? `head_${head}` : `${name}.head_${head}`,
    weights,
    head: { index: head, of: numHeads },
    asMatrix: (tensors) => asMatrix(tensors).slice([first, 0], [headSize, -1]),
    asKernel(tensors) {
      if (asKernel === undefined) throw new Error(`internal: heads of ${name}, which is no linear map`);
      const { kernel, bias } = asKernel(tensors);
      return {
        kernel: sliceLast(kernel, first, headSize),
        bias: bias && sliceLast(bias, first, headSize),
      };
    },
  };
}

function factorsOfHead(factors: Factors, { headSize }: AttentionHeads, head: number): Factors {
  const first = head * headSize;
  if ('gradient' in factors) return { gradient: factors.gradient.slice([0, first, 0], [-1, headSize, -1]) };
  const { activations, outputGradients } = factors;
  return { activations, outputGradients: sliceLast(outputGradients, first, headSize) };
}

/** [..., C] -> [..., size]. */
function sliceLast(x: tf.Tensor, first: number, size: number): tf.Tensor {
  const others = x.shape.slice(1);
  return x.slice([...others.map(() => 0), first], [...others.map(() => -1), size]);
}

interface Location {
  readonly path: string;
  readonly className: string;
}

/** Throws unless the part is of a linear map of as many outputs as the heads have. */
function checkHeads({ path, className }: Location, heads: AttentionHeads, part: GradientPart): void {
  const { numHeads, headSize } = heads;
  for (const [name, value] of Object.entries({ numHeads, headSize })) {
    if (Number.isInteger(value) && value > 0) continue;
    throw new InvalidOptionError(`attention['${path}'].${name}`, value, 'a positive integer');
  }
  if (part.asKernel === undefined || part.reversed === true) {
    const reason =
      'its gradient is not that of a linear map with a row for each output (its adapter gives no `asKernel`, or one of ' +
      'its inputs); leave it out of `attention`';
    throw new AttentionHeadsError(path, className, heads, reason);
  }
  const [outputs] = tf.tidy(() => part.asMatrix([...part.weights]).shape);
  if (numHeads * headSize !== outputs) {
    const reason = `they have ${numHeads * headSize} outputs and it has ${outputs}; make numHeads * headSize that many`;
    throw new AttentionHeadsError(path, className, heads, reason);
  }
}

/** Throws unless the heads lie along the last axis of an output of this shape. */
function checkAxis({ path, className }: Location, heads: AttentionHeads, shape: tf.Shape): void {
  const last = shape.length - 1;
  if (heads.headDim === -1 || heads.headDim === last) return;
  const reason =
    `the outputs of [${shape.map((size) => size ?? 'N').join(', ')}] lie along axis ${last}; ` +
    `pass headDim ${last}, or -1 for the last whatever the rank`;
  throw new AttentionHeadsError(path, className, heads, reason);
}
