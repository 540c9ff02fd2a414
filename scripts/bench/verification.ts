/** Checks the collector's gradients before they are timed. */
import tf = require('@tensorflow/tfjs');
import { GradientCollector } from '../../callbacks';
import { projectGradient } from '../../kernels/project';
import { batchLoss } from '../../lib/compiled-model';
import { layerProjection } from '../../lib/projection';
import { disposeBenchModel, type BenchModel } from './models';

/** Float32 sums over the batch and its positions, in two orders; relative to the largest element. */
const TOLERANCE = 1e-4;

/**
 * The per-example gradients of a batch, projected, must sum to the projection of tfjs's own gradient of the batch's
 * loss, in every part of every layer. Disposes the model.
 * @throws Error naming the first part of which they do not.
 */
export function verifyGradients(bench: BenchModel): void {
  const { model, xs, ys } = bench;
  const [first] = xs;
  const batch = { xs: xs.length === 1 && first !== undefined ? first : xs, ys };
  const collector = new GradientCollector(model, { lossReduction: 'sum' });
  tf.tidy(() => {
    const { gradients } = collector.run(() => batchLoss(model, batch));
    const weights = collector.parts.flatMap((part) => [...part.weights]);
    const { grads } = tf.variableGrads(() => batchLoss(model, batch), weights);
    for (const part of collector.parts) {
      const { left, right } = layerProjection(part, collector.projection);
      const own = part.weights.map((weight) => grads[weight.name] ?? tf.zerosLike(weight));
      const whole = part.asMatrix(own).expandDims<tf.Tensor3D>(0);
      const expected = projectGradient(whole, left, right);
      const found = gradients.get(part.path)?.sum(0, true) ?? tf.zerosLike(expected);
      const error = found.sub(expected).abs().max().div(expected.abs().max()).dataSync()[0] ?? NaN;
      left.dispose();
      right.dispose();
      if (!(error < TOLERANCE))
        throw new Error(`${bench.name}: gradients of ${part.path} are off by ${error}`);
    }
    tf.dispose([...gradients.values()]);
  });
  collector.dispose();
  disposeBenchModel(bench);
}
