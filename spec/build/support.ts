/** A small GPT-2 with a tokenizer, and texts, for specs of builds. */
import fs from 'node:fs';
import path from 'node:path';
import { resolveConfig, type BuildConfig, type StageProgress } from '../../callbacks';
import { TOKENIZER, writeJsonl } from '../datasets/support';

const GPT2 = path.join(__dirname, '..', 'reference', 'gpt2');

/** Of several lengths; one is empty, and one longer than the model's 64 tokens. */
export const ROWS = [
  { text: 'The quick brown fox jumps over the lazy dog.', reward: 1, group: 'a' },
  { text: 'Paris.', reward: 0, group: 'a' },
  { text: '', reward: 1, group: 'a' },
  { text: 'Rivers run to the sea, and the sea is never full.', reward: 5, group: 'b' },
  {
    text: 'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. '.repeat(3),
    reward: 2,
    group: 'b',
  },
  { text: 'To be, or not to be', reward: 2, group: 'b' },
];

/** The model's folder, with a tokenizer of fewer tokens than it knows, in `directory`. */
export function writeModel(directory: string): string {
  const model = path.join(directory, 'model');
  fs.mkdirSync(model);
  for (const name of ['config.json', 'model.safetensors'])
    fs.copyFileSync(path.join(GPT2, name), path.join(model, name));
  for (const name of fs.readdirSync(TOKENIZER))
    fs.copyFileSync(path.join(TOKENIZER, name), path.join(model, name));
  return model;
}

/** A configuration for each run, of a model and a data set in `directory`. */
export function configs(directory: string) {
  const model = writeModel(directory);
  const dataset = writeJsonl(directory, 'texts.jsonl', ROWS);
  let runs = 0;
  return (given: Partial<BuildConfig> = {}): BuildConfig =>
    resolveConfig(
      {
        run: path.join(directory, `run-${runs++}`),
        model,
        dataset,
        textColumn: 'text',
        tokenBatchSize: 96,
        normalizer: 'none',
        projectionDim: 4,
        index: false,
        ...given,
      },
      'the spec',
    );
}

/** Shows nothing. */
export const silent = (): StageProgress => ({
  update: () => undefined,
  skip: () => undefined,
  stop: () => undefined,
});
