/** What one backward pass yields: taps in, each layer's per-example gradients out. */
import * as tf from '@tensorflow/tfjs';
import { BatchAxisError } from '../errors';
import type { AttributedLayer } from './attributed-layers';
import type { TapListener, TappedCall } from './taps';

export interface BackwardPassOptions {
  /** Makes one call's gradients [N, p, q]; the pass disposes them or gives them away. */
  readonly gradientsOf: (call: TappedCall) => tf.Tensor3D;
  /** Whether to make gradients only at `finish`, from copies of what the taps saw, since they need what follows. */
  readonly deferred: boolean;
  /** Receives a layer's gradients, summed over its calls and scaled, as soon as they are whole. */
  readonly onGradients: (layer: AttributedLayer, gradients: tf.Tensor3D) => void;
  /** N, if known beforehand; otherwise the first tap's. */
  readonly batchSize?: number;
  /** Whether the differentiated loss is a mean over the batch, so that gradients are multiplied by N. */
  readonly meanLoss: boolean;
}

/** One backward pass. A layer called k times taps k times; its gradients are whole when all have come, or at `finish`. */
export class BackwardPass implements TapListener {
  batchSize: number | undefined;
  private readonly outstanding = new Map<AttributedLayer, number>();
  private readonly sums = new Map<AttributedLayer, tf.Tensor3D>();
  private readonly held: TappedCall[] = [];

  constructor(private readonly options: BackwardPassOptions) {
    this.batchSize = options.batchSize;
  }

  onForward(attributed: AttributedLayer): void {
    this.outstanding.set(attributed, (this.outstanding.get(attributed) ?? 0) + 1);
  }

  onBackward(call: TappedCall): void {
    this.checkBatchAxis(call);
    if (this.options.deferred) {
      const outputGradient = tf.keep(call.outputGradient.clone());
      const saved = call.saved.map((tensor) => tf.keep(tensor.clone()));
      this.held.push({ attributed: call.attributed, saved, outputGradient });
      return;
    }
    this.add(call);
    const { attributed } = call;
    const outstanding = (this.outstanding.get(attributed) ?? 0) - 1;
    this.outstanding.set(attributed, outstanding);
    if (outstanding === 0) this.giveAway(attributed);
  }

  /** Hands over what has not been: deferred gradients, and those of layers of which a call did not reach the loss. */
  finish(): void {
    for (const call of this.held.splice(0)) {
      this.add(call);
      disposeCall(call);
    }
    for (const attributed of [...this.sums.keys()]) this.giveAway(attributed);
  }

  /** Frees what is held. Harmless after `finish`. */
  dispose(): void {
    this.held.splice(0).forEach(disposeCall);
    for (const sum of this.sums.values()) sum.dispose();
    this.sums.clear();
  }

  private add(call: TappedCall): void {
    const { attributed } = call;
    const gradients = this.options.gradientsOf(call);
    const sum = this.sums.get(attributed);
    this.sums.set(attributed, tf.keep(sum === undefined ? gradients : tf.add(sum, gradients)));
    if (sum === undefined) return;
    sum.dispose();
    gradients.dispose();
  }

  private giveAway(attributed: AttributedLayer): void {
    const sum = this.sums.get(attributed);
    if (sum === undefined) return;
    this.sums.delete(attributed);
    const scale = this.options.meanLoss ? sum.shape[0] : 1;
    const gradients = scale === 1 ? sum : tf.keep(tf.mul<tf.Tensor3D>(sum, scale));
    if (gradients !== sum) sum.dispose();
    this.options.onGradients(attributed, gradients);
  }

  private checkBatchAxis({ attributed, outputGradient: { shape } }: TappedCall): void {
    this.batchSize ??= shape[0];
    if (shape[0] !== this.batchSize) throw new BatchAxisError(attributed.path, shape, this.batchSize);
  }
}

function disposeCall({ saved, outputGradient }: TappedCall): void {
  tf.dispose([saved, outputGradient]);
}
