/** Asks a run of a language model which of its training passages a sentence came from. */
import { Attributor, GradientCollector, type CausalLM, type Trace } from '../../callbacks';
import { languageBatch } from '../../lib/build/language-batches';
import type { TokenizedExample } from '../../lib/datasets/tokenized-example';
import { openTokenizer, type Tokenizer } from '../../lib/datasets/tokenizer';
import { loadCausalLM } from '../../lib/models/causal-lm';
import { batchRows } from '../../lib/run/batch-rows';
import { runPaths } from '../../lib/run/run-paths';
import { innerProduct } from '../../lib/inner-product';

/** A word as it stands in a text, space and all, and what it adds to a score. */
export interface ScoredWord {
  readonly text: string;
  readonly score: number;
}

export class LanguageQuestions {
  private readonly byToken: GradientCollector;

  private constructor(
    readonly lm: CausalLM,
    private readonly tokenizer: Tokenizer,
    private readonly attributor: Attributor,
  ) {
    const { layers, projection, includeBias } = attributor.run.manifest;
    this.byToken = new GradientCollector(lm.model, {
      ...projection,
      includeBias,
      layers: layers.map(({ path }) => path),
      lossReduction: 'sum',
      attribute: 'tokens',
    });
  }

  /** Opens a run that `bergson train` made without a normalizer, and its model. */
  static async open(run: string): Promise<LanguageQuestions> {
    const folder = runPaths.model(run);
    const lm = await loadCausalLM(folder);
    const fitting = {
      contextLength: lm.contextLength,
      longDocuments: 'truncate',
    } as const;
    return new LanguageQuestions(lm, openTokenizer(folder, fitting), await Attributor.open(run));
  }

  /** The row [width] of a text's gradient, under the mean of its tokens' losses, as passages were trained on. */
  async row(text: string): Promise<Float32Array> {
    const batch = languageBatch(this.lm, [await this.tokenize(text)], 'mean');
    const [row] = await this.attributor.queryRows(this.lm.model, batch.loss);
    if (row === undefined) throw new Error('internal: a text gave no row');
    return row;
  }

  /** The `k` passages at each end. Scores are divided by the norms of passages, or the few of large norm would answer all. */
  async trace(row: Float32Array, k: number, lowest = true): Promise<Trace> {
    const [trace] = await this.attributor.search([row], {
      k,
      unitNorm: true,
      lowest,
    });
    if (trace === undefined) throw new Error('internal: a query had no answer');
    return trace;
  }

  /**
   * The words of a passage, and what the gradient at the positions that predict each adds to the score that the passage
   * would have under the model as it is now. The first word has no more than the part of it that something precedes.
   */
  async words(row: Float32Array, passage: string): Promise<ScoredWord[]> {
    const example = await this.tokenize(passage);
    const positions = example.inputIds.length - 1;
    const batch = languageBatch(this.lm, [example], 'mean');
    const places = { rows: new Int32Array(positions), counts: [positions] };
    const rows = await batchRows(this.byToken, batch, places);
    const width = row.length;
    const scores = Array.from({ length: positions }, (_, position) =>
      innerProduct(row, rows.subarray(position * width, (position + 1) * width)),
    );
    return toWords(await this.textsOf(example.inputIds), [0, ...scores]);
  }

  async close(): Promise<void> {
    this.byToken.dispose();
    await this.attributor.close();
    this.lm.model.dispose();
  }

  private async tokenize(text: string): Promise<TokenizedExample> {
    const [document] = await this.tokenizer.tokenize([{ text, specialTokens: true }]);
    const [piece] = document?.pieces ?? [];
    if (piece === undefined) throw new Error('internal: a text made no piece');
    return {
      id: 0,
      inputIds: piece.inputIds,
      labels: piece.labels,
      record: { text },
    };
  }

  /** What each token adds to the text; bytes of one character are with its last. */
  private async textsOf(ids: Int32Array): Promise<string[]> {
    const prefixes = await this.tokenizer.decode(Array.from(ids, (_, i) => ids.subarray(0, i + 1)));
    let length = 0;
    return prefixes.map((prefix) => {
      if (prefix.endsWith('\ufffd')) return '';
      const text = prefix.slice(length);
      length = prefix.length;
      return text;
    });
  }
}

/** Tokens joined to words, each with the space before it. */
function toWords(texts: readonly string[], scores: readonly number[]): ScoredWord[] {
  const words: { text: string; score: number }[] = [];
  texts.forEach((text, i) => {
    const score = scores[i] ?? 0;
    const last = words.at(-1);
    if (last === undefined || /^\s/.test(text)) words.push({ text, score });
    else {
      last.text += text;
      last.score += score;
    }
  });
  return words;
}
