/** The model that is to be trained, and its tokenizer. */
import fs from 'node:fs';
import path from 'node:path';
import { ModelConfigError } from '../../lib/errors';
import { createCausalLM, loadCausalLM, type CausalLM } from '../../lib/models/causal-lm';
import { isMap } from '../../lib/store/record-file';
import type { TrainOptions } from './train-options';

/** @throws ModelConfigError, and what `loadCausalLM` and `createCausalLM` throw */
export async function openModel({ model, seed }: TrainOptions): Promise<CausalLM> {
  return 'folder' in model
    ? await loadCausalLM(model.folder)
    : createCausalLM(readConfig(model.config), seed);
}

function readConfig(file: string): Readonly<Record<string, unknown>> {
  let values: unknown;
  try {
    values = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new ModelConfigError(file, 'content', undefined, 'a file of JSON', { cause });
  }
  if (!isMap(values)) throw new ModelConfigError(file, 'content', values, 'a JSON object');
  return values;
}

/** Where the tokenizer is: as asked, or beside the model; null if there is none, which rows that are tokens need not. */
export function findTokenizer({ model, tokenizer }: TrainOptions): string | null {
  if (tokenizer !== undefined) return tokenizer;
  const folder = 'folder' in model ? model.folder : path.dirname(model.config);
  return fs.existsSync(path.join(folder, 'tokenizer.json')) ? folder : null;
}
