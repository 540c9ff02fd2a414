/** What one backward pass yields: taps in, what each part's per-example gradients are made of out. */
import tf = require('@tensorflow/tfjs');
import { share } from '../../kernels/share';
import { BatchAxisError, UntappableLayerError } from '../errors';
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

/** Receives, in a `tf.tidy`, the factors of all calls of a part, and a number that its gradients are to be multiplied by. */
export type FactorsListener = (part: AttributedPart, factors: Factors[], multiplier: number) => void;

/** What one tap contributes to each of its adapter's parts. */
type Contribution = readonly (Factors | null)[];

/** A penalty on gradients, say: what reaches the taps then is not only the gradient of the loss. */
const NESTED = 'is differentiated inside another gradient';

/** One backward pass. A layer may tap many times; its gradients are whole when all taps are reached, or at `finish`. */
export class BackwardPass implements TapListener {
  batchSize: number | undefined;
  /** Calls that the backward pass has not reached. */
  private readonly waiting = new Map<AttributedLayer, Set<TappedCall>>();
  /** Contributions that wait for further ones, their tensors kept. */
  private readonly held = new Map<AttributedLayer, Contribution[]>();

  constructor(private readonly options: BackwardPassOptions) {
    this.batchSize = options.batchSize;
  }

  onForward(call: TappedCall): void {
    const { attributed } = call;
    const calls = this.waiting.get(attributed) ?? new Set();
    this.waiting.set(attributed, calls.add(call));
  }

  onBackward(call: TappedCall, outputGradient: tf.Tensor): void {
    const { attributed, saved, factorsOf } = call;
    this.checkCall(call, outputGradient);
    const calls = this.waiting.get(attributed);
    calls?.delete(call);
    const { deferred, eachCall } = this.options;
    const whole = !deferred && (calls?.size === 0 || eachCall?.(attributed) === true);
    if (whole && !this.held.has(attributed)) {
      try {
        this.giveAway(attributed, () => [factorsOf(saved, outputGradient)]);
      } finally {
        for (const tensor of saved) tensor.dispose();
      }
      return;
    }
    this.hold(call, outputGradient);
    if (whole) this.release(attributed);
  }

  /** Hands over what has not been: deferred factors, and those of layers of which a call did not reach the loss. */
  finish(): void {
    for (const attributed of this.held.keys()) this.release(attributed);
  }

  /** Frees what is held. Harmless after `finish`. */
  dispose(): void {
    for (const contributions of this.held.values())
      tf.dispose(contributions as unknown as tf.TensorContainer);
    for (const calls of this.waiting.values()) for (const { saved } of calls) tf.dispose(saved);
    this.held.clear();
    this.waiting.clear();
  }

  private hold({ attributed, saved, factorsOf }: TappedCall, outputGradient: tf.Tensor): void {
    const contribution = tf.tidy(
      () => factorsOf(saved, share(outputGradient)) as unknown as tf.TensorContainer,
    );
    const tensors = new Set(tf.tensor_util.getTensorsInContainer(contribution));
    for (const tensor of tensors) tf.keep(tensor);
    for (const tensor of saved) if (!tensors.has(tensor)) tensor.dispose();
    const contributions = this.held.get(attributed) ?? [];
    contributions.push(contribution as unknown as Contribution);
    this.held.set(attributed, contributions);
  }

  private release(attributed: AttributedLayer): void {
    const contributions = this.held.get(attributed) ?? [];
    this.giveAway(attributed, () => contributions);
    this.held.delete(attributed);
    tf.dispose(contributions as unknown as tf.TensorContainer);
  }

  private giveAway({ parts }: AttributedLayer, contributionsOf: () => readonly Contribution[]): void {
    const multiplier = this.options.meanLoss ? (this.batchSize ?? NaN) : 1;
    tf.tidy(() => {
      const contributions = contributionsOf();
      for (const part of parts) {
        const factors: Factors[] = [];
        for (const contribution of contributions) {
          const each = contribution[part.index] ?? null;
          if (each !== null) factors.push(each);
        }
        if (factors.length > 0) this.options.onFactors(part, factors, multiplier);
      }
    });
  }

  private checkCall(call: TappedCall, { shape }: tf.Tensor): void {
    const { path, layer } = call.attributed;
    if (tf.engine().isTapeOn()) throw new UntappableLayerError(path, layer.getClassName(), NESTED);
    this.batchSize ??= shape[0];
    if (shape[0] !== this.batchSize) throw new BatchAxisError(path, shape, this.batchSize);
  }
}
