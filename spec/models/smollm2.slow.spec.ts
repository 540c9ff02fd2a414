/** A real model, SmolLM2-135M, against transformers, which reads the same weights; smollm2.py says which packages it takes. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { GradientCollector, loadCausalLM } from '../../callbacks';
import { generate } from '../../lib/models/generate';
import { relativeError } from '../support/closeness';
import { writeSmolLM2 } from '../support/smollm2';
import { temporaryDirectory } from '../support/temporary-directory';

/** Thirty layers of float32 sums in another order than torch's, of logits up to 30. */
const THIRTY_LAYERS = 1e-4;

const directory = temporaryDirectory();
const python = process.env.BERGSON_PYTHON ?? 'python3';

it('gives the logits, losses and continuation that transformers computes, and finite gradients', async () => {
  if (!writeSmolLM2(directory)) return;
  const asked = spawnSync(python, [path.join(__dirname, 'smollm2.py')], {
    encoding: 'utf8',
    maxBuffer: 2 ** 24,
  });
  if (asked.status !== 0) {
    const reason = asked.error?.message ?? asked.stderr.trim().split('\n').at(-1) ?? '';
    console.warn(
      `skipped: ${python} could not run transformers (${reason}); set BERGSON_PYTHON to one that can`,
    );
    return;
  }
  const { ids, losses, last_logits, continuation, text } = JSON.parse(asked.stdout) as {
    ids: number[];
    losses: number[];
    last_logits: number[];
    continuation: number[];
    text: string;
  };
  const lm = await loadCausalLM(directory);
  expect(lm).toMatchObject({ vocabularySize: 49_152 });
  expect(lm.linearMaps).toHaveLength(30 * 7);

  const input = tf.tensor2d([ids], [1, ids.length], 'int32');
  tf.tidy(() => {
    const logits = (lm.model.predict(input) as tf.Tensor3D).slice([0, ids.length - 1]).dataSync();
    expect(relativeError(logits, last_logits)).toBeLessThan(THIRTY_LAYERS);
    expect(relativeError(lm.tokenLosses(input, input).dataSync(), losses)).toBeLessThan(THIRTY_LAYERS);
  });
  expect([...(await generate(lm, ids, { maxTokens: continuation.length }))]).toEqual(continuation);
  expect(text).toMatch(/^ Rome/);

  const collector = new GradientCollector(lm.model, { layers: lm.linearMaps, lossReduction: 'sum' });
  const { loss, gradients } = collector.run(() =>
    tf.tidy(() => lm.tokenLosses(input, input).sum<tf.Scalar>()),
  );
  const row = await collector.rows(gradients, 1);
  expect(row).toHaveLength(30 * 7 * 256);
  expect(row.every((value) => Number.isFinite(value))).toBe(true);
  expect(row.some((value) => value !== 0)).toBe(true);
  tf.dispose([loss, input]);
  collector.dispose();
  lm.model.dispose();
}, 900_000);
