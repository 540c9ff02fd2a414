/**
 * `npm run bench:build`: what collecting the gradients of a frozen language model costs over its plain forward and backward
 * pass, and, where a Python that has Bergson is named, tokens per second beside Bergson's on the same model and texts.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { loadBackend } from '../../lib/backend';
import { languageBatch } from '../../lib/build/language-batches';
import type { TokenizedExample } from '../../lib/datasets/tokenized-example';
import { GradientCollector } from '../../lib/gradient-collector';
import { applyHostFixes } from '../../lib/host-fixes';
import { loadCausalLM, type CausalLM } from '../../lib/models/causal-lm';
import { batchRows, placesOf } from '../../lib/run/batch-rows';
import type { LossBatch } from '../../lib/run/loss-batch';
import { GradientStoreWriter } from '../../lib/store/writer';
import { ownPeak } from './peak-memory';
import { PeerBuild } from './peer-build';
import { randomTexts, writeRandomGpt2 } from './random-gpt2';
import { spread, type Spread } from './statistics';

const SIZE = { layers: 4, width: 256, heads: 4, vocabulary: 2048, context: 128 };
const BATCH = 8;
const BATCHES = 8;
const PROJECTION_DIM = 16;
/** The first calls allocate, and draw projections. */
const WARM_UP = 2;
/** Two orders of summation in float32. */
const SAME = 1e-4;

const VARIANTS = ['pass', 'collect'] as const;
type VariantName = (typeof VARIANTS)[number];

/** One way to go over a batch. */
type Variant = (batch: LossBatch) => Promise<void>;

async function main(): Promise<void> {
  const { rounds, python, alone, model } = await yargs(hideBin(process.argv))
    .usage('$0 compares collecting gradients with a plain pass of the same frozen model')
    .option('rounds', { type: 'number', default: 10, describe: `Passes over ${BATCHES} batches` })
    .option('python', { type: 'string', describe: 'A Python that has Bergson' })
    .option('alone', { choices: VARIANTS, hidden: true })
    .option('model', { type: 'string', hidden: true })
    .strict()
    .parse();
  await loadBackend('tensorflow');
  applyHostFixes();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'bergson-bench-'));
  const folder = model ?? path.join(directory, 'model');
  if (model === undefined) writeRandomGpt2(folder, SIZE);
  const lm = await loadCausalLM(folder);
  const texts = randomTexts(BATCH * BATCHES, SIZE.context, SIZE.vocabulary);
  const batches = Array.from({ length: BATCHES }, (_, batch) =>
    languageBatch(lm, toExamples(texts).slice(batch * BATCH, (batch + 1) * BATCH), 'sum'),
  );
  const variants = {
    pass: passOver(lm),
    collect: collectInto(lm, path.join(directory, 'store'), texts.length),
  };
  if (alone !== undefined) {
    for (let round = 0; round < 2; round++) for (const batch of batches) await variants[alone](batch);
    console.log(ownPeak());
  } else {
    verify(lm, batches[0] as LossBatch);
    const peer =
      python === undefined
        ? null
        : await PeerBuild.start(python, {
            model: folder,
            texts,
            batch: BATCH,
            projectionDim: PROJECTION_DIM,
          });
    report(await timeAll(batches, variants, rounds, peer), folder);
    peer?.stop();
  }
  fs.rmSync(directory, { recursive: true });
}

function toExamples(texts: readonly Int32Array[]): TokenizedExample[] {
  return texts.map((inputIds, id) => ({ id, inputIds, labels: inputIds, record: {} }));
}

/** Forward, and backward as far as the sum of the embeddings: no weight's gradient, and none of an example. */
function passOver({ model }: CausalLM): Variant {
  const collector = new GradientCollector(model, { layers: ['wpe'], projectionDim: 1 });
  return (batch) => {
    const loss = collector.runFactors(batch.loss, () => undefined);
    loss.dataSync();
    loss.dispose();
    return Promise.resolve();
  };
}

/** What `collectGradients` does with a batch, into a store that it writes over and over. */
function collectInto({ model, linearMaps }: CausalLM, store: string, rows: number): Variant {
  const collector = new GradientCollector(model, {
    layers: linearMaps,
    includeBias: false,
    projectionDim: PROJECTION_DIM,
    lossReduction: 'sum',
  });
  const { columns } = collector;
  const writer = GradientStoreWriter.create(store, { rows, dtype: 'float32', columns });
  return async (batch) => {
    writer.write(batch.ids, await batchRows(collector, batch, placesOf(batch.ids, undefined)));
  };
}

/** @throws Error unless the examples' gradients of a map sum to tfjs's own gradient of the batch's loss */
function verify({ model, linearMaps }: CausalLM, { loss: body }: LossBatch): void {
  const [layer = ''] = linearMaps.slice(-1);
  const options = {
    layers: [layer],
    includeBias: false,
    projectionDim: 'exact',
    lossReduction: 'sum',
  } as const;
  const collector = new GradientCollector(model, options);
  const [part] = collector.parts;
  const { loss, gradients } = collector.run(body);
  const difference = tf.tidy(() => {
    const own = gradients.get(layer) as tf.Tensor3D;
    const weights = [...(part?.weights ?? [])];
    const { grads } = tf.variableGrads(body, weights);
    const expected = part?.asMatrix(weights.map(({ name }) => grads[name] as tf.Tensor)) as tf.Tensor2D;
    return own.sum(0).sub(expected).abs().max().div(expected.abs().max()).dataSync()[0] ?? NaN;
  });
  tf.dispose([loss, ...gradients.values()]);
  collector.dispose();
  if (!(difference < SAME)) throw new Error(`${layer}: rows sum to a gradient that is ${difference} off`);
}

interface Timings {
  /** Milliseconds of a batch. */
  readonly batch: Readonly<Record<VariantName, number[]>>;
  /** Time of collecting over that of the pass, of the same batch. */
  readonly ratios: number[];
  /** Seconds of all batches. */
  readonly own: number[];
  readonly peer: number[];
}

/** Both variants of a batch after each other, in turns first, and the peer once a round. */
async function timeAll(
  batches: readonly LossBatch[],
  variants: Readonly<Record<VariantName, Variant>>,
  rounds: number,
  peer: PeerBuild | null,
): Promise<Timings> {
  const timings: Timings = { batch: { pass: [], collect: [] }, ratios: [], own: [], peer: [] };
  for (let round = -WARM_UP; round < rounds; round++) {
    let own = 0;
    for (const [i, batch] of batches.entries()) {
      const time = { pass: 0, collect: 0 };
      for (const name of (round + i) % 2 === 0 ? VARIANTS : VARIANTS.toReversed()) {
        const begun = performance.now();
        await variants[name](batch);
        time[name] = performance.now() - begun;
      }
      own += time.collect / 1000;
      if (round < 0) continue;
      for (const name of VARIANTS) timings.batch[name].push(time[name]);
      timings.ratios.push(time.collect / time.pass);
    }
    const seconds = (await peer?.pass()) ?? NaN;
    if (round < 0) continue;
    timings.own.push(own);
    if (peer !== null) timings.peer.push(seconds);
  }
  return timings;
}

function report({ batch, ratios, own, peer }: Timings, model: string): void {
  const { layers, width, vocabulary, context } = SIZE;
  console.log(
    `GPT-2 of ${layers} layers, width ${width}, ${vocabulary} tokens; batches of ${BATCH} x ${context}, projected to ` +
      `${PROJECTION_DIM} a side; TensorFlow.js ${tf.version.tfjs}, Node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model ?? ''}`,
  );
  const table = new Table({
    head: ['', 'ms a batch', 'over the pass', 'peak memory, MB'],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right'],
  });
  for (const name of VARIANTS) {
    const over = name === 'pass' ? '' : describe(spread(ratios), 3);
    table.push([name, describe(spread(batch[name]), 1), over, peakAlone(name, model).toFixed(0)]);
  }
  console.log(table.toString());
  const rate = (seconds: readonly number[]) =>
    describe(spread(seconds.map((time) => (BATCH * BATCHES * context) / time)), 0);
  console.log(`tokens a second: ${rate(own)}`);
  if (peer.length > 0)
    console.log(
      `Bergson’s: ${rate(peer)}; ours over Bergson’s ${describe(spread(own.map((time, i) => (peer[i] ?? NaN) / time)), 2)}`,
    );
}

/** Median and quartiles. */
function describe({ median, lowerQuartile, upperQuartile }: Spread, digits: number): string {
  const [middle, low, high] = [median, lowerQuartile, upperQuartile].map((value) => value.toFixed(digits));
  return `${middle} (${low} to ${high})`;
}

function peakAlone(variant: VariantName, model: string): number {
  const args = [__filename, '--alone', variant, '--model', model];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const peak = Number(stdout.trim().split('\n').at(-1));
  if (!Number.isFinite(peak)) throw new Error(`${variant}: ${stderr}`);
  return peak;
}

void main();
