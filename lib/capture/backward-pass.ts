/** What one backward pass yields: taps in, what each part's per-example gradients are made of out. */
import * as tf from '@tensorflow/tfjs';
import { BatchAxisError } from '../errors';
import type { Factors } from '../layers/factors';
import type { AttributedLayer, AttributedPart } from './attributed-layers';
import type { TapListener, TappedCall } from './taps';

export interface BackwardPassOptions {
  /** Receives what a part's gradients are made of, over all calls of its layer, as soon as it is whole, unless `eachCall`. */
  readonly onFactors: FactorsListener;
  /** Whether to hand factors over only at `finish`, and keep them until then, since what is made of them needs what follows. */
  readonly deferred: boolean;
  /** Of which layers to hand factors over call by call, unless they are deferred. Default: none. */
  readonly eachCall?: ((layer: AttributedLayer) => boolean) | undefined;
  /** N, if known beforehand; otherwise the first tap's. */
  readonly batchSize?: number;
  /** Whether the differentiated loss is a mean over the batch, so that gradients are multiplied by N. */
  readonly meanLoss: boolean;
}

/** Receives the factors of all calls of a part, and a number that its gradients are to be multiplied by. */
export type FactorsListener = (part: AttributedPart, factors: Factors[], multiplier: number) => void;

/** What one tap contributes to each of its adapter's parts. */
type Contribution = readonly (Factors | null)[];

/** One backward pass. A layer may tap many times; its gradients are whole when all taps are reached, or at `finish`. */
export class BackwardPass implements TapListener {
  batchSize: number | undefined;
  private readonly outstanding = new Map<AttributedLayer, number>();
  /** Contributions that wait for further ones, their tensors kept. */
  private readonly held = new Map<AttributedLayer, Contribution[]>();

  constructor(private readonly options: BackwardPassOptions) {
    this.batchSize = options.batchSize;
  }

  onForward(attributed: AttributedLayer): void {
    this.outstanding.set(attributed, (this.outstanding.get(attributed) ?? 0) + 1);
  }

  onBackward(call: TappedCall): void {
    this.checkBatchAxis(call);
    const { attributed, saved, outputGradient, factorsOf } = call;
    const { deferred, eachCall } = this.options;
    const outstanding = (this.outstanding.get(attributed) ?? 0) - 1;
    this.outstanding.set(attributed, outstanding);
    const whole = !deferred && (outstanding === 0 || eachCall?.(attributed) === true);
    if (whole && !this.held.has(attributed)) {
      tf.tidy(() => {
        this.giveAway(attributed, [factorsOf(saved, outputGradient)]);
      });
      return;
    }
    this.hold(call);
    if (whole) this.release(attributed);
  }

  /** Hands over what has not been: deferred factors, and those of layers of which a call did not reach the loss. */
  finish(): void {
    for (const attributed of [...this.held.keys()]) this.release(attributed);
  }

  /** Frees what is held. Harmless after `finish`. */
  dispose(): void {
    tf.dispose([...this.held.values()] as unknown as tf.TensorContainer);
    this.held.clear();
  }

  private hold({ attributed, saved, outputGradient, factorsOf }: TappedCall): void {
    const contribution = tf.tidy(() => {
      const kept = saved.map((tensor) => tensor.clone());
      return factorsOf(kept, outputGradient.clone()) as unknown as tf.TensorContainer;
    });
    for (const tensor of tf.tensor_util.getTensorsInContainer(contribution)) tf.keep(tensor);
    const contributions = this.held.get(attributed) ?? [];
    contributions.push(contribution as unknown as Contribution);
    this.held.set(attributed, contributions);
  }

  private release(attributed: AttributedLayer): void {
    const contributions = this.held.get(attributed) ?? [];
    this.giveAway(attributed, contributions);
    this.held.delete(attributed);
    tf.dispose(contributions as unknown as tf.TensorContainer);
  }

  private giveAway({ parts }: AttributedLayer, contributions: readonly Contribution[]): void {
    const multiplier = this.options.meanLoss ? (this.batchSize ?? NaN) : 1;
    for (const part of parts) {
      const factors = contributions.flatMap((contribution) => contribution[part.index] ?? []);
      if (factors.length === 0) continue;
      this.options.onFactors(part, factors, multiplier);
    }
  }

  private checkBatchAxis({ attributed, outputGradient: { shape } }: TappedCall): void {
    this.batchSize ??= shape[0];
    if (shape[0] !== this.batchSize) throw new BatchAxisError(attributed.path, shape, this.batchSize);
  }
}
