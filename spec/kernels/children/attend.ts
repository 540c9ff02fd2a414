/** Prints a digest of native causal attention, its gradients and a linear map, of sizes that several threads share. */
import { createHash } from 'node:crypto';
import tf = require('@tensorflow/tfjs');
import { nativeAttention } from '../../../kernels/causal-attention';
import { linearNatively } from '../../../kernels/linear';
import { nativeAddon, nativeBackend } from '../../../kernels/native';
import { loadBackend } from '../../../lib/backend';
import { randomNormal } from '../../support/random-tensor';

async function main(): Promise<void> {
  await loadBackend('tensorflow');
  const backend = nativeBackend();
  if (backend === null) throw new Error(nativeAddon() as string);
  const kernel = nativeAttention(backend);
  const attention = {
    ...{ heads: 4, keyHeads: 2, scale: 0.2, window: 90 },
    ...{ frequencies: [1, 0.1], order: null },
  };
  const [query, key, value, gradients] = [128, 64, 64, 128].map((channels, i) =>
    randomNormal<tf.Rank.R3>([6, 150, channels], i + 1),
  ) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  const { output, saved } = kernel.forward([query, key, value], attention);
  const weight = randomNormal<tf.Rank.R2>([128, 200], 5);
  const mapped = linearNatively(output, { weight, transposed: false, bias: null }, backend);
  const digest = createHash('sha256');
  for (const result of [output, mapped, ...kernel.backward(gradients, saved, attention)])
    digest.update(result.dataSync());
  console.log(digest.digest('hex'));
}

void main();
