/** The language model that a run is of, which makes rows of texts. Loads tfjs. */
import fs from 'node:fs';
import path from 'node:path';
import type { Attributor } from '../../lib/attributor';
import { loadBackend } from '../../lib/backend';
import { readConfig, resolveConfig } from '../../lib/build/build-config';
import { languageBatch } from '../../lib/build/language-batches';
import { withoutLoss } from '../../lib/datasets/dataset-pass';
import { NO_LOSS, type Piece } from '../../lib/datasets/document';
import { openTokenizer, type Tokenizer } from '../../lib/datasets/tokenizer';
import { tokenizerFile } from '../../lib/datasets/tokenizer-file';
import { loadCausalLM, type CausalLM } from '../../lib/models/causal-lm';
import { generate } from '../../lib/models/generate';
import type { Run } from '../../lib/run/run';
import { runPaths } from '../../lib/run/run-paths';
import { ModelFolderError, QueryInputError, SavedModelError } from './errors';
import type { QueryInput } from './inputs';
import type { InputModel, InputRow } from './input-model';
import { textSource, type TextSource } from './text-source';

export class TextModel implements InputModel {
  private constructor(
    private readonly lm: CausalLM,
    private readonly tokenizer: Tokenizer,
    private readonly contextLength: number,
    private readonly lossReduction: 'sum' | 'mean',
  ) {}

  /**
   * Loads the model and its tokenizer from where the run says they are, or the model from `moved`.
   * @throws ModelFolderError, SavedModelError, BackendUnavailableError; what `loadCausalLM` and `openTokenizer` throw
   */
  static async load(run: Run, moved: string | undefined): Promise<TextModel> {
    const source = textSource(run);
    if (source === null) throw new SavedModelError(run.path, 'it is no language model');
    const { model, lossReduction } = source;
    if (lossReduction === null)
      throw new SavedModelError(run.path, 'its loss is not said to be a sum or a mean');
    const directory = moved ?? model.path;
    if (!fs.existsSync(directory)) throw new ModelFolderError(run.path, directory);
    const tokenizer = tokenizerOf(model, directory);
    if (tokenizer === null) throw new SavedModelError(run.path, `${directory} has no tokenizer.json`);
    await loadBackend();
    const lm = await loadCausalLM(directory);
    try {
      const contextLength = contextOf(run, lm);
      const opened = openTokenizer(tokenizer, { contextLength, longDocuments: 'truncate' });
      return new TextModel(lm, opened, contextLength, lossReduction);
    } catch (error) {
      lm.model.dispose();
      throw error;
    }
  }

  /** @throws QueryInputError, ModelMismatchError */
  async row(attributor: Attributor, input: QueryInput): Promise<InputRow> {
    const { where, document, record, goOnFor } = input;
    if (document === undefined)
      throw new QueryInputError(
        where,
        'this run is of a language model, which takes `text`, or `prompt` and `completion`',
      );
    const [tokenized] = await this.tokenizer.tokenize([document]);
    const [piece] = tokenized?.pieces ?? [];
    if (tokenized === undefined || piece === undefined) throw new Error('internal: a text gave no tokens');
    const text = document.text.slice(...(piece.textRange ?? [0]));
    const truncatedTo = tokenized.truncated ? this.contextLength : null;
    if (goOnFor !== undefined) {
      const continued = await this.goOn(where, piece.inputIds, goOnFor);
      const { completion, ...tokens } = continued;
      const row = await this.rowOf(attributor, tokens);
      return { row, record: { ...record, prompt: text, completion, text: text + completion }, truncatedTo };
    }
    if (!piece.labels.subarray(1).some((label) => label !== NO_LOSS))
      throw new QueryInputError(where, `cannot be asked by: ${withoutLoss(piece, 1)}`);
    return { row: await this.rowOf(attributor, piece), record: { ...record, text }, truncatedTo };
  }

  async rows(attributor: Attributor, inputs: readonly QueryInput[]): Promise<InputRow[]> {
    const rows: InputRow[] = [];
    for (const input of inputs) rows.push(await this.row(attributor, input));
    return rows;
  }

  private async rowOf(
    attributor: Attributor,
    { inputIds, labels }: Pick<Piece, 'inputIds' | 'labels'>,
  ): Promise<Float32Array> {
    const { loss } = languageBatch(this.lm, [{ id: 0, inputIds, labels, record: {} }], this.lossReduction);
    const [row] = await attributor.queryRows(this.lm.model, loss);
    if (row === undefined) throw new Error('internal: a loss gave no row');
    return row;
  }

  /** A prompt with the likeliest tokens after it, whose loss alone counts. @throws QueryInputError if there is no room for any */
  private async goOn(where: string, prompt: Int32Array, tokens: number) {
    const room = this.contextLength - prompt.length;
    if (room < 1)
      throw new QueryInputError(where, `leaves no room: the context is of ${this.contextLength} tokens`);
    const ids = await generate(this.lm, prompt, { maxTokens: Math.min(tokens, room) });
    const [completion = ''] = await this.tokenizer.decode([ids]);
    const labels = new Int32Array(prompt.length + ids.length).fill(NO_LOSS, 0, prompt.length);
    labels.set(ids, prompt.length);
    return { inputIds: Int32Array.of(...prompt, ...ids), labels, completion };
  }

  dispose(): void {
    this.lm.model.dispose();
  }
}

/** What the run's texts were tokenized by, which a moved model's folder may hold; null where there is none. */
function tokenizerOf({ path: of, tokenizer }: TextSource['model'], directory: string): string | null {
  if (tokenizer !== null && path.resolve(tokenizer) !== path.resolve(of)) return tokenizer;
  return tokenizer !== null || fs.existsSync(tokenizerFile(directory)) ? directory : null;
}

/** How many tokens the run's own examples have at most. */
function contextOf(run: Run, { contextLength }: CausalLM): number {
  const file = runPaths.config(run.path);
  const asked = fs.existsSync(file) ? resolveConfig(readConfig(file), file).contextLength : null;
  return Math.min(contextLength, asked ?? contextLength);
}
