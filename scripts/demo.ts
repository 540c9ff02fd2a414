/** `npm run demo`: trains on digits of which a tenth is labelled wrong, and asks which of them taught the model what. */
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { Attributor } from '../callbacks';
import type { StageProgress } from '../lib/build/build-run';
import { describeBackend } from '../lib/backend';
import { describeAnswerTime, timeAnswers } from './demo/answer-time';
import { begin, demoArguments, runDemo, tellStopped, tellWhatNext } from './demo/begin';
import { CLASSES, loadDigits, toTensors, type Digit, type Tensors } from './demo/digits';
import { diskUse } from './demo/disk-use';
import { flipLabels, type FlippedLabels } from './demo/flipped-labels';
import { opposingInfluence, selfInfluence } from './demo/influence';
import { buildNetwork } from './demo/network';
import { measureOverhead } from './demo/overhead';
import { recordsOf, writeDigits } from './demo/records';
import { removeRun } from './demo/remove-run';
import { describeAnswer, describeDetection, describeDiskUse, describeOverhead, heading } from './demo/report';
import { seededUniform } from './demo/seeded';
import { accuracy, chooseDigits, readDigits } from './demo/test-digits';
import { BATCH_SIZE, COLLECTOR_OPTIONS, train } from './demo/training';
import { paragraph } from './terminal/layout';
import { startProgress } from './terminal/progress-bar';

const SEED = 20;
/** Of the random order: with the seed that chose the flipped labels it would list them first or last. */
const RANDOM_SEED = 40;
const FLIPPED_SHARE = 0.1;
const TEST_DIGITS = 1000;
/** How many digits each backend trains on in about the same time. */
const DIGITS: Readonly<Record<string, number>> = { tensorflow: 8000, wasm: 3000, cpu: 500 };
const QUESTIONS = 4;
/** How many training digits are written down for `bergson verify`. */
const UNLEARNABLE = 300;
const INSPECTED = 0.15;

interface DemoArguments {
  readonly digits?: number;
  readonly epochs: number;
  readonly path: string;
}

/** What the demo trains and asks about. */
interface Data {
  readonly digits: readonly Digit[];
  readonly labels: FlippedLabels;
  readonly tensors: Tensors;
  readonly test: readonly Digit[];
  readonly testTensors: Tensors;
}

async function main(): Promise<void> {
  const args = await demoArguments('$0 trains on digits, and finds the wrong labels among them', {
    epochs: 3,
    path: path.join('runs', 'demo'),
    describePath: 'Directory of the run, replaced if it holds one',
  })
    .option('digits', {
      type: 'number',
      describe: `Digits to train on; default: ${DIGITS.tensorflow ?? 0}, fewer on slower backends`,
    })
    .parse();
  const backend = await begin(args.path);
  const data = prepareData(args.digits ?? DIGITS[backend] ?? TEST_DIGITS);
  const model = buildNetwork();
  if (await trainAndTell(model, data, args)) {
    tellStopped(args.path);
    tellWhatNext([`query ${args.path} --example 17`]);
    return;
  }
  await answerQuestions(model, data, args.path);
  await findFlippedLabels(model, data, args.path);
  await tellCosts(model, data, args.path);
  writeExamples(data, args.path);
  tellWhatNext([
    `query ${args.path} --example 17`,
    `query ${args.path} --input ${queriesFile(args.path)} --row 0`,
    `verify ${args.path} --input ${queriesFile(args.path)} --examples ${examplesFile(args.path)}`,
  ]);
  console.log('Numbers vary a little from run to run, because TensorFlow.js shuffles without a seed.');
}

function prepareData(count: number): Data {
  const all = loadDigits(SEED);
  const digits = all.slice(0, count);
  const test = all.slice(count, count + TEST_DIGITS);
  const labels = flipLabels(
    digits.map(({ label }) => label),
    FLIPPED_SHARE,
    CLASSES,
    SEED,
  );
  return { digits, labels, test, tensors: toTensors(digits, labels.labels), testTensors: toTensors(test) };
}

/** Trains, and resolves to whether that was interrupted. */
async function trainAndTell(
  model: tf.LayersModel,
  data: Data,
  { epochs, path }: DemoArguments,
): Promise<boolean> {
  const { backend, device, threads } = describeBackend();
  const wrong = data.labels.flipped.filter(Boolean).length;
  console.log(
    paragraph(
      `Training a small convolutional network on ${data.digits.length} handwritten digits, ${wrong} of them labelled wrong on purpose, ` +
        `for ${epochs} epochs on the ${backend} backend (${device}, ${threads} threads). Every digit's gradient is kept in ${path}.`,
    ),
  );
  let indexing: StageProgress | undefined;
  const interrupted = await train(model, data.tensors, epochs, {
    path,
    examples: recordsOf(data.digits, data.labels),
    onIndexProgress: (rows) => {
      indexing ??= startProgress('indexing', data.digits.length);
      indexing.update(rows);
    },
  });
  indexing?.stop();
  return interrupted;
}

async function answerQuestions(
  model: tf.LayersModel,
  { test, testTensors }: Data,
  path: string,
): Promise<void> {
  const readings = readDigits(model, testTensors, test);
  console.log(`It reads ${(100 * accuracy(readings)).toFixed(1)} % of ${test.length} test digits right.`);
  console.log(heading('Which training digits taught it this?'));
  console.log(
    paragraph(
      "A score is the inner product of two gradients: the test digit's, of its loss against its true label, and the " +
        "training digit's in the last epoch. Positive: training on it lowered the test digit's loss (it helped); " +
        'negative: it raised it (it hurt).',
    ),
  );
  const chosen = chooseDigits(readings, QUESTIONS);
  const digits = chosen.map(({ index }) => test[index] as Digit);
  const { xs, ys } = toTensors(digits);
  const attributor = await Attributor.open(path);
  const traces = await attributor.trace(model, { xs, ys }, { k: 3 });
  await attributor.close();
  tf.dispose([xs, ys]);
  chosen.forEach((reading, i) => {
    const [digit, trace] = [digits[i], traces[i]];
    if (digit !== undefined && trace !== undefined) console.log(describeAnswer(digit, reading, trace));
  });
  writeDigits(queriesFile(path), digits);
}

async function findFlippedLabels(model: tf.LayersModel, data: Data, path: string): Promise<void> {
  const { flipped } = data.labels;
  const attributor = await Attributor.open(path, { engine: 'exact' });
  const queries = await attributor.queryRows(model, data.testTensors);
  const { run } = attributor;
  await attributor.close();
  const last = run.stores.slice(-1);
  const rankings: [string, ArrayLike<number>][] = [
    ['self-influence, last epoch', selfInfluence(run, last)],
    ['self-influence, all epochs', selfInfluence(run, run.stores)],
    ['opposing influence, last epoch', opposingInfluence(run, last, queries)],
    ['opposing influence, all epochs', opposingInfluence(run, run.stores, queries)],
    ['a random order', seededUniform(flipped.length, RANDOM_SEED)],
  ];
  console.log(heading('Which labels are wrong?'));
  console.log(
    paragraph(
      "Self-influence: the squared norm of a digit's own gradient. Opposing influence: minus its mean influence on " +
        `the ${queries.length} test digits, each counted alike. How they rank the ${flipped.filter(Boolean).length} flipped labels among ${flipped.length}:`,
    ),
  );
  console.log(describeDetection(rankings, flipped, INSPECTED));
}

/** Training steps of one timing, and timings each way. */
const TIMED_STEPS = 30;
const TIMINGS = 9;

async function tellCosts(model: tf.LayersModel, data: Data, path: string): Promise<void> {
  const { digits } = data;
  console.log(heading('What does it cost?'));
  console.log(describeAnswerTime(await timeQuestions(model, data, path)));
  console.log(describeDiskUse(path, diskUse(path)));
  const tensors = toTensors(digits.slice(0, TIMED_STEPS * BATCH_SIZE));
  const options = { ...COLLECTOR_OPTIONS, index: false, path: `${path}-timing` };
  removeRun(options.path);
  console.log(describeOverhead(await measureOverhead(tensors, BATCH_SIZE, TIMINGS, options)));
}

/** Questions that are asked one at a time, to see how long that takes. */
const TIMED_QUESTIONS = 25;

async function timeQuestions(
  model: tf.LayersModel,
  { test, testTensors: { xs, ys } }: Data,
  path: string,
): Promise<number[]> {
  const attributor = await Attributor.open(path);
  try {
    return await timeAnswers(Math.min(TIMED_QUESTIONS, test.length), async (digit) => {
      const query = { xs: xs.slice(digit, 1), ys: ys.slice(digit, 1) };
      await attributor.trace(model, query, { k: 3 });
      tf.dispose([query.xs, query.ys]);
    });
  } finally {
    await attributor.close();
  }
}

/** Training digits to unlearn, with the labels they were given. */
function writeExamples({ digits, labels }: Data, path: string): void {
  const given = digits
    .slice(0, UNLEARNABLE)
    .map((digit, i) => ({ ...digit, label: labels.labels[i] ?? digit.label }));
  writeDigits(examplesFile(path), given, [...given.keys()]);
}

function queriesFile(run: string): string {
  return `${run}-queries.jsonl`;
}

function examplesFile(run: string): string {
  return `${run}-examples.jsonl`;
}

runDemo('demo', main);
