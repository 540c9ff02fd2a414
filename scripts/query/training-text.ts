/** A training example of a language model's run, tokenized again. */
import fs from 'node:fs';
import { readConfig, resolveConfig } from '../../lib/build/build-config';
import { datasetOptions } from '../../lib/build/build-source';
import { openDataset } from '../../lib/datasets/dataset';
import type { TokenizedExample } from '../../lib/datasets/tokenized-example';
import type { Tokenizer } from '../../lib/datasets/tokenizer';
import type { Run } from '../../lib/run/run';
import { runPaths } from '../../lib/run/run-paths';
import { QueryInputError } from './errors';

/** What a run's texts were tokenized by. */
export interface TextReading {
  readonly tokenizer: Tokenizer;
  /** Its folder, or `tokenizer.json`. */
  readonly tokenizerPath: string;
  readonly contextLength: number;
}

/**
 * The example as the run had it: of the data set that `bergson build` went over, or of a run of `bergson train`, which keeps
 * no name of it, the text in the example's record, all of whose tokens count.
 * @throws QueryInputError where there is no such text; what `openDataset` throws where the data set is gone
 */
export async function trainingText(
  run: Run,
  example: number,
  { tokenizer, tokenizerPath, contextLength }: TextReading,
): Promise<TokenizedExample> {
  const where = `example ${example} of ${run.path}`;
  const file = runPaths.config(run.path);
  if (fs.existsSync(file)) {
    const config = resolveConfig(readConfig(file), file);
    const options = datasetOptions({ ...config, tokenizer: tokenizerPath, contextLength });
    const dataset = await openDataset(config.dataset, options);
    try {
      for await (const found of dataset.examples({ wanted: (id) => id === example })) return found;
    } finally {
      await dataset.close();
    }
    throw new QueryInputError(where, `makes no tokens in ${config.dataset}`);
  }
  const record = run.exampleRecords([example]).get(example);
  if (typeof record?.text !== 'string') throw new QueryInputError(where, 'the run was told no text of it');
  const [document] = await tokenizer.tokenize([{ text: record.text, specialTokens: true }]);
  const [piece] = document?.pieces ?? [];
  if (piece === undefined) throw new Error('internal: a text made no piece');
  return { id: example, inputIds: piece.inputIds, labels: piece.labels, record };
}
