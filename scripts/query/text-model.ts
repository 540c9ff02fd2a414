/** The language model that a run is of, which makes rows of texts. Loads tfjs. */
import fs from 'node:fs';
import path from 'node:path';
import type { Attributor } from '../../lib/attributor';
import { loadBackend } from '../../lib/backend';
import { readConfig, resolveConfig } from '../../lib/build/build-config';
import { languageBatch } from '../../lib/build/language-batches';
import { openChatTemplate, type ChatTemplate } from '../../lib/datasets/chat-template';
import { withoutLoss } from '../../lib/datasets/dataset-pass';
import { NO_LOSS, type Document } from '../../lib/datasets/document';
import type { TokenizedExample } from '../../lib/datasets/tokenized-example';
import { openTokenizer } from '../../lib/datasets/tokenizer';
import { tokenizerFile } from '../../lib/datasets/tokenizer-file';
import { loadCausalLM, type CausalLM } from '../../lib/models/causal-lm';
import { generate } from '../../lib/models/generate';
import type { Run } from '../../lib/run/run';
import { runPaths } from '../../lib/run/run-paths';
import { ModelFolderError, QueryInputError, SavedModelError } from './errors';
import type { QueryInput } from './inputs';
import type { InputModel, InputRow } from './input-model';
import { textSource, type TextSource } from './text-source';
import { tokenTexts } from './token-texts';
import { trainingText, type TextReading } from './training-text';

/** The tokens of a text, and the gradient that each has a part in. */
export interface TokenRows {
  /** What each token says, [tokens]. */
  readonly texts: readonly string[];
  /**
   * Of each token but the first, which none predicts, the gradient at the position that predicts it: [tokens - 1] of [width].
   */
  readonly rows: readonly Float32Array[];
}

export class TextModel implements InputModel {
  private template: ChatTemplate | undefined;

  private constructor(
    readonly lm: CausalLM,
    private readonly reading: TextReading,
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
    const tokenizerPath = tokenizerOf(model, directory);
    if (tokenizerPath === null) throw new SavedModelError(run.path, `${directory} has no tokenizer.json`);
    await loadBackend();
    const lm = await loadCausalLM(directory);
    try {
      const contextLength = contextOf(run, lm);
      const tokenizer = openTokenizer(tokenizerPath, { contextLength, longDocuments: 'truncate' });
      return new TextModel(lm, { tokenizer, tokenizerPath, contextLength }, lossReduction);
    } catch (error) {
      lm.model.dispose();
      throw error;
    }
  }

  /** @throws QueryInputError, ModelMismatchError */
  async row(attributor: Attributor, input: QueryInput): Promise<InputRow> {
    const { example, truncatedTo } = await this.read(input);
    const { loss } = languageBatch(this.lm, [example], this.lossReduction);
    const [row] = await attributor.queryRows(this.lm.model, loss);
    if (row === undefined) throw new Error('internal: a loss gave no row');
    return { row, record: example.record, truncatedTo };
  }

  async rows(attributor: Attributor, inputs: readonly QueryInput[]): Promise<InputRow[]> {
    const rows: InputRow[] = [];
    for (const input of inputs) rows.push(await this.row(attributor, input));
    return rows;
  }

  /** What the row of an input is made of: its tokens' rows sum to it. @throws QueryInputError, TokenGradientError */
  async tokens(attributor: Attributor, input: QueryInput): Promise<TokenRows> {
    const { example } = await this.read(input);
    return this.tokenRows(attributor, example);
  }

  /**
   * What the gradient of a training example under this model is made of. @throws QueryInputError, TokenGradientError; what
   * `openDataset` throws where the data set is gone
   */
  async trainingTokens(attributor: Attributor, run: Run, example: number): Promise<TokenRows> {
    return this.tokenRows(attributor, await trainingText(run, example, this.reading));
  }

  /** What the tokens of a training example say, [tokens]. @throws as `trainingTokens` */
  async trainingTexts(run: Run, example: number): Promise<string[]> {
    const { inputIds } = await trainingText(run, example, this.reading);
    return tokenTexts(this.reading.tokenizer, inputIds);
  }

  dispose(): void {
    this.lm.model.dispose();
  }

  private async tokenRows(attributor: Attributor, example: TokenizedExample): Promise<TokenRows> {
    const { loss } = languageBatch(this.lm, [example], this.lossReduction);
    const positions = example.inputIds.length - 1;
    return {
      texts: await tokenTexts(this.reading.tokenizer, example.inputIds),
      rows: await attributor.queryTokenRows(this.lm.model, loss, positions),
    };
  }

  /** The tokens of a query, and what to show of it. @throws QueryInputError for what is no text, or has no loss */
  private async read(
    input: QueryInput,
  ): Promise<{ example: TokenizedExample; truncatedTo: InputRow['truncatedTo'] }> {
    const { where, record, goOnFor } = input;
    const document = this.documentOf(input);
    const [tokenized] = await this.reading.tokenizer.tokenize([document]);
    const [piece] = tokenized?.pieces ?? [];
    if (tokenized === undefined || piece === undefined) throw new Error('internal: a text gave no tokens');
    const text = document.text.slice(...(piece.textRange ?? [0]));
    const truncatedTo = tokenized.truncated ? this.reading.contextLength : null;
    if (goOnFor !== undefined) {
      const { completion, ...tokens } = await this.goOn(where, piece.inputIds, goOnFor);
      const shown = { ...record, prompt: text, completion, text: text + completion };
      return { example: { id: 0, ...tokens, record: shown }, truncatedTo };
    }
    if (!piece.labels.subarray(1).some((label) => label !== NO_LOSS))
      throw new QueryInputError(where, `cannot be asked by: ${withoutLoss(piece, 1)}`);
    const { inputIds, labels } = piece;
    return { example: { id: 0, inputIds, labels, record: { ...record, text } }, truncatedTo };
  }

  /** A prompt with the likeliest tokens after it, whose loss alone counts. @throws QueryInputError if there is no room for any */
  private async goOn(where: string, prompt: Int32Array, tokens: number) {
    const { tokenizer, contextLength } = this.reading;
    const room = contextLength - prompt.length;
    if (room < 1)
      throw new QueryInputError(where, `leaves no room: the context is of ${contextLength} tokens`);
    const ids = await generate(this.lm, prompt, { maxTokens: Math.min(tokens, room) });
    const [completion = ''] = await tokenizer.decode([ids]);
    const labels = new Int32Array(prompt.length + ids.length).fill(NO_LOSS, 0, prompt.length);
    labels.set(ids, prompt.length);
    return { inputIds: Int32Array.of(...prompt, ...ids), labels, completion };
  }

  /** @throws QueryInputError, TokenizerError for a conversation where there is no chat template */
  private documentOf({ where, document, messages }: QueryInput): Document {
    if (document !== undefined) return document;
    if (messages === undefined)
      throw new QueryInputError(
        where,
        'this run is of a language model, which takes `text`, `prompt` and `completion`, or `messages`',
      );
    this.template ??= openChatTemplate(this.reading.tokenizerPath);
    const rendered = this.template.render(messages);
    if ('unusable' in rendered) throw new QueryInputError(where, `cannot be asked by: ${rendered.unusable}`);
    return rendered;
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
