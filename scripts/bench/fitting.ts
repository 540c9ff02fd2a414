/** What fitting a normalizer adds to a backward pass in tensors: of a linear map of this width, over a batch of sequences. */
import tf = require('@tensorflow/tfjs');
import { GradientCollector } from '../../lib/gradient-collector';
import { Linear } from '../../lib/models/layers/linear';
import { fitNormalizer, type FittedKind } from '../../lib/normalizers/fit';
import { PeakWatch } from './peak-watch';

/** Sequences of a batch, and their positions. */
const [SEQUENCES, POSITIONS] = [4, 16];

/** In bytes. */
export interface FittingMemory {
  readonly weights: number;
  /** The most in tensors during a backward pass of which nothing is made. */
  readonly pass: number;
  /** What is on top of that while moments are made of the pass. */
  readonly added: number;
}

/** @param width Inputs, and outputs, of the map. */
export async function fittingMemory(width: number, kind: FittedKind): Promise<FittingMemory> {
  const linear = new Linear({ name: 'linear', units: width, useBias: false });
  const input = tf.layers.inputLayer({ inputShape: [POSITIONS, width] });
  const model = tf.sequential({ layers: [input, linear] });
  const xs = tf.randomNormal([SEQUENCES, POSITIONS, width], 0, 1, 'float32', 5);
  const loss = () => (model.apply(xs) as tf.Tensor).square().sum<tf.Scalar>();
  const collector = new GradientCollector(model, { includeBias: false });
  const passOnly = () => {
    collector.runFactors(loss, () => undefined).dispose();
  };
  passOnly(); // the first one makes what stays
  const pass = new PeakWatch();
  pass.start();
  passOnly();
  pass.stop();
  const fitting = new PeakWatch();
  const ids = Int32Array.from({ length: SEQUENCES }, (_, i) => i);
  async function* batches() {
    fitting.start();
    yield await Promise.resolve({ ids, loss, dispose: () => undefined });
  }
  const normalizer = await fitNormalizer(model, batches(), kind, { includeBias: false });
  fitting.stop();
  normalizer.dispose();
  model.dispose();
  xs.dispose();
  return { weights: 4 * width ** 2, pass: pass.peak, added: fitting.peak - pass.peak };
}
