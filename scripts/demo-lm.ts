/** `npm run demo:lm`: trains a small GPT on State of the Union addresses, and asks it where sentences came from. */
import fs from 'node:fs';
import path from 'node:path';
import { describeBackend } from '../lib/backend';
import { describeAnswerTime, timeAnswers } from './demo/answer-time';
import { begin, demoArguments, runDemo, tellStopped, tellWhatNext } from './demo/begin';
import { heading } from './demo/report';
import { loadAddresses } from './demo-lm/addresses';
import { trainByteLevelBpe } from './demo-lm/byte-level-bpe';
import { LanguageQuestions } from './demo-lm/language-questions';
import { toPassages, type Passage } from './demo-lm/passages';
import { describeFound } from './demo-lm/report';
import { sentencesOf, type Asked } from './demo-lm/sentences';
import { colors } from './terminal/colors';
import { paragraph } from './terminal/layout';
import { startProgress } from './terminal/progress-bar';
import { trainLanguageModel } from './train/train-language-model';

const SEED = 20;
const VOCABULARY = 2048;
const SHAPE = {
  model_type: 'gpt2',
  vocab_size: VOCABULARY,
  n_embd: 128,
  n_head: 4,
  n_layer: 2,
  n_positions: 128,
};
/** How many passages each backend trains on in some minutes. */
const PASSAGES: Readonly<Record<string, number>> = {
  tensorflow: 1200,
  wasm: 80,
  cpu: 8,
};
/** Sentences of training passages that are asked about one after the other. */
const SHOWN = 2;
/** And those of which only the share that finds its passage is told. */
const CHECKED = 100;
const ENDS = 2;

interface DemoArguments {
  readonly passages?: number;
  readonly epochs: number;
  readonly path: string;
  readonly sentence?: string;
}

async function main(): Promise<void> {
  const args = await demoArguments(
    '$0 trains a small GPT on State of the Union addresses, and finds which passages a sentence came from',
    {
      epochs: 4,
      path: path.join('runs', 'demo-lm'),
      describePath:
        'Directory of the run, replaced if it holds one; beside it, with -data, what it is made from',
    },
  )
    .option('passages', {
      type: 'number',
      describe: `Passages to train on; default: ${PASSAGES.tensorflow ?? 0}, fewer on slower backends`,
    })
    .option('sentence', {
      type: 'string',
      requiresArg: true,
      describe: 'A sentence of yours to ask about, too',
    })
    .parse();
  const addresses = await loadAddresses();
  const backend = await begin(args.path);
  const all = addresses.flatMap(toPassages);
  const count = Math.min(args.passages ?? PASSAGES[backend] ?? 1200, all.length - 1);
  const passages = all.slice(-count);
  if (!(await trainAndTell(passages, args))) {
    tellStopped(args.path);
    return;
  }
  const questions = await LanguageQuestions.open(args.path);
  try {
    await answer(questions, passages, all[all.length - count - 1] as Passage, args.sentence);
    await tellShareFound(questions, passages);
  } finally {
    await questions.close();
  }
  tellWhatNext(commandsOf(args.path));
}

/** Trains on the passages, and resolves to whether that came to its end. */
async function trainAndTell(passages: readonly Passage[], args: DemoArguments): Promise<boolean> {
  const { backend, device, threads } = describeBackend();
  const years = `from ${passages[0]?.year ?? ''} to ${passages.at(-1)?.year ?? ''}`;
  console.log(
    paragraph(
      `Training a GPT of ${SHAPE.n_layer} layers on ${passages.length} passages of State of the Union addresses, ${years}, ` +
        `for ${args.epochs} epochs on the ${backend} backend (${device}, ${threads} threads). Every passage's gradient is kept in ${args.path}.`,
    ),
  );
  const { config, dataset } = writeData(passages, `${args.path}-data`);
  const trained = await trainLanguageModel(
    {
      run: args.path,
      model: { config },
      dataset,
      reading: { textColumn: 'text' },
      epochs: args.epochs,
      batchSize: 8,
      learningRate: 2e-3,
      warmup: 0.05,
      weightDecay: 0.1,
      seed: SEED,
      projectionDim: 16,
      normalizer: 'none',
      dtype: 'float32',
      index: true,
    },
    startProgress,
    process.stderr.isTTY
      ? undefined
      : (line) => {
          console.log(`  ${line}`);
        },
  );
  return trained.stepsDone === trained.steps;
}

/** Writes what `bergson train` would take: passages, a tokenizer made of them, and the model's shape. */
function writeData(passages: readonly Passage[], directory: string): { config: string; dataset: string } {
  fs.mkdirSync(directory, { recursive: true });
  const write = (name: string, content: string) => {
    const file = path.join(directory, name);
    fs.writeFileSync(file, content);
    return file;
  };
  const texts = passages.map(({ text }) => text);
  write('tokenizer.json', JSON.stringify(trainByteLevelBpe(texts, VOCABULARY)));
  const records = passages.map(
    ({ text, year, president }) => `${JSON.stringify({ text, year, president })}\n`,
  );
  return {
    config: write('config.json', JSON.stringify(SHAPE)),
    dataset: write('passages.jsonl', records.join('')),
  };
}

async function answer(
  questions: LanguageQuestions,
  passages: readonly Passage[],
  other: Passage,
  own: string | undefined,
): Promise<void> {
  console.log(heading('Which passages taught it this sentence?'));
  console.log(
    paragraph(
      "A score is the inner product of the sentence's gradient and a passage's in the last epoch, divided by the passage's norm. " +
        'Positive: training on the passage made the sentence more likely; negative: less. Marked are the words of a passage ' +
        'whose own gradients, under the trained model, count most for that.',
    ),
  );
  const asked: [title: string, Asked][] = sentencesOf(passages, SHOWN, SEED).map((each) => [
    'A sentence that it was trained on',
    each,
  ]);
  asked.push([
    'A sentence of an address that it was not trained on',
    { sentence: sentencesOf([other], 1, SEED)[0]?.sentence ?? other.text, passage: null },
  ]);
  if (own !== undefined) asked.push(['Your sentence', { sentence: own, passage: null }]);
  for (const [title, { sentence, passage }] of asked) {
    const row = await questions.row(sentence);
    const { highest, lowest } = await questions.trace(row, Math.min(ENDS, passages.length));
    const from = passages[passage ?? -1];
    const where = from === undefined ? '' : `, ${from.president}, ${from.year}`;
    console.log(`\n${colors.bold(title)}${where}\n${paragraph(colors.cyan(sentence))}`);
    for (const [end, found] of [
      ['highest', highest],
      ['lowest', lowest],
    ] as const) {
      console.log(`\n${end}`);
      for (const each of found) {
        const of = passages[each.example] as Passage;
        console.log(describeFound(each, of, await questions.words(row, of.text)));
      }
    }
  }
}

/** Of sentences from training passages, how many have their own passage at the top. */
async function tellShareFound(questions: LanguageQuestions, passages: readonly Passage[]): Promise<void> {
  const asked = sentencesOf(passages, CHECKED, SEED);
  let found = 0;
  const times = await timeAnswers(asked.length, async (question) => {
    const { sentence, passage } = asked[question] as Asked;
    const { highest } = await questions.trace(await questions.row(sentence), 1, false);
    if (highest[0]?.example === passage) found++;
  });
  console.log(heading('Does it find what was there?'));
  console.log(
    paragraph(
      `Of ${asked.length} sentences, each from another training passage, ${colors.bold(`${found} have that passage at the top`)} ` +
        `of ${passages.length}; by chance ${(asked.length / passages.length).toPrecision(1)} would.`,
    ),
  );
  console.log(describeAnswerTime(times));
}

function commandsOf(run: string): string[] {
  const dataset = `${run}-data/passages.jsonl`;
  return [
    `query ${run} --text 'The state of our union is strong.'`,
    `train ${run}-more --model ${run}/model --epochs 1 \\\n      --dataset ${dataset}`,
    `build ${run}-tokens --model ${run}/model --attribute tokens \\\n      --dataset ${dataset}`,
  ];
}

runDemo('demo:lm', main);
