/**
 * Puts taps on layers while a function runs. This, `training.ts` and `layers/pre-activation.ts` are the only files that
 * change objects of tfjs, and they put them back.
 */
import tf = require('@tensorflow/tfjs');
import { share } from '../../kernels/share';
import { UntappableLayerError } from '../errors';
import type { CallArguments, FactorsOf, Layer, LayerCall, Tap } from '../layers/layer-gradient';
import type { AttributedLayer } from './attributed-layers';

/** A call of a layer that has a tap, or one of several. */
export interface TappedCall {
  readonly attributed: AttributedLayer;
  /** Kept tensors. */
  readonly saved: tf.Tensor[];
  readonly factorsOf: FactorsOf;
}

/** `call` as a layer class has it. */
type Call = (this: Layer, inputs: tf.Tensor | tf.Tensor[], kwargs: CallArguments) => tf.Tensor | tf.Tensor[];

export interface TapListener {
  /** A layer runs forward and has put on a tap. What it saved is the listener's from now on. */
  onForward(call: TappedCall): void;
  /** The backward pass has reached that tap. The loss's gradient at the tapped output, [N, ...], is its own: share what must stay. */
  onBackward(call: TappedCall, outputGradient: tf.Tensor): void;
}

/**
 * Puts a tap on every call of the given layers, until the function that is returned is called. A tap only listens: neither the
 * forward nor the backward values change. Under
 * `anchor`, a scalar, each tapped output also depends on it, with gradient zero: differentiating by the anchor then
 * runs the backward pass as far as the first tap, and computes no weight's gradient.
 *
 * Each layer's `call` is replaced, not hooked: tfjs does not invoke call hooks in every layer class, and
 * sub-layers of custom layers are reached through `call` as well as `apply`.
 */
export function placeTaps(
  layers: readonly AttributedLayer[],
  listener: TapListener,
  anchor: tf.Scalar | null = null,
): () => void {
  const restore = layers.map((attributed) => replaceCall(attributed, listener, anchor));
  return () => {
    for (const undo of restore.reverse()) undo();
  };
}

/** How many reruns are going on, during which layers run as if they had no taps. */
let reruns = 0;

function replaceCall(
  attributed: AttributedLayer,
  listener: TapListener,
  anchor: tf.Scalar | null,
): () => void {
  const { layer, adapter, path, includeBias } = attributed;
  const own = Object.getOwnPropertyDescriptor(layer, 'call');
  const { call } = layer as unknown as { call: Call };
  const tapped: Call = (inputs, kwargs) => {
    if (reruns > 0) return call.call(layer, inputs, kwargs);
    const since = tapeNodes().length;
    let taps = 0;
    const tap: Tap = (output, saved, factorsOf) => {
      taps++;
      // Where no gradients are recorded no backward pass will come by.
      if (!tf.engine().isTapeOn()) return output;
      const call = { attributed, saved: saved.map((tensor) => tf.keep(share(tensor))), factorsOf };
      listener.onForward(call);
      return tapOutput(output, since, anchor, (outputGradient) => {
        listener.onBackward(call, outputGradient);
      });
    };
    const several = Array.isArray(inputs);
    const given = several ? inputs : [inputs];
    if (given.length === 0)
      throw new UntappableLayerError(path, layer.getClassName(), 'was called without an input');
    const original: LayerCall = (as, passed, kwargs) =>
      call.call(as, several ? passed : (passed[0] as tf.Tensor), kwargs);
    const rerun = (passed: tf.Tensor[], kwargs: CallArguments) => {
      reruns++;
      try {
        return original(layer, passed, kwargs);
      } finally {
        reruns--;
      }
    };
    const context = { layer, call: original, inputs: given, kwargs, includeBias, rerun };
    const output = adapter.forward(context, tap);
    if (taps === 0)
      throw new UntappableLayerError(path, layer.getClassName(), 'ran without reaching its tap');
    return output;
  };
  layer.call = tapped;
  return () => {
    if (own === undefined) delete (layer as Partial<typeof layer>).call;
    else Object.defineProperty(layer, 'call', own);
  };
}

/** What tfjs's gradient tape records of an operation. */
type TapeNode = ReturnType<typeof tf.engine>['state']['activeTape'][number];

function tapeNodes(): TapeNode[] {
  const engine = tf.engine();
  return engine.isTapeOn() ? engine.state.activeTape : [];
}

/**
 * Calls `onGradient` when the backward pass reaches `output`, which is returned, or its like. An operation that has just made it, since
 * the tape had `since` nodes, tells by its own node: one more costs a step several times as much.
 */
function tapOutput(
  output: tf.Tensor,
  since: number,
  anchor: tf.Scalar | null,
  onGradient: (outputGradient: tf.Tensor) => void,
): tf.Tensor {
  const nodes = tapeNodes();
  const made = nodes.length > since && anchor === null ? (nodes[nodes.length - 1] as TapeNode) : null;
  const own = made?.gradient !== undefined && made.outputs.length === 1 && made.outputs[0] === output;
  const tapped = own ? output : output.clone();
  const node = nodes[nodes.length - 1] as TapeNode;
  const { gradient } = node as Required<TapeNode>;
  node.gradient = (outputGradients) => {
    onGradient(outputGradients[0] as tf.Tensor);
    const inputGradients = gradient(outputGradients);
    return anchor === null ? inputGradients : { ...inputGradients, anchor: () => tf.zerosLike(anchor) };
  };
  if (anchor !== null) node.inputs = { ...node.inputs, anchor };
  return tapped;
}
