/** Takes a score apart by the tokens of the example that was found, and by those of the query. */
import type { Attributor, LayerScore, SearchedStore } from '../../lib/attributor';
import { BergsonError } from '../../lib/errors';
import { sumOfRows } from '../../lib/query/aggregate';
import type { SearchOptions } from '../../lib/search/gradient-index';
import type { ScoredText } from '../terminal/words';
import { QueryInputError } from './errors';
import type { Question } from './question';
import type { TextModel, TokenRows } from './text-model';

export interface TokenShare extends ScoredText {
  /** What each layer adds to `score`, in the order of the explanation's layers. */
  readonly layers: readonly number[];
}

export interface TokenShares {
  /**
   * Whose gradient is taken apart: the row that is stored, or, where the row was made while the model trained, what the
   * example's would be now.
   */
  readonly of: 'row' | 'model';
  /** The sum over the tokens: where the row is taken apart, the example's score. */
  readonly score: number;
  /** All tokens in order; the first, which none predicts, adds nothing. */
  readonly tokens: readonly TokenShare[];
}

/** Shares, or why there are none. */
export type SharesOrReason = TokenShares | { readonly missing: string };

/** Which score. */
export interface ScoreOf {
  readonly question: Question;
  readonly example: number;
  /** Position among the attributor's stores. */
  readonly store: number;
  readonly options: Pick<SearchOptions, 'layers' | 'unitNorm'>;
}

/** What each token of the example adds to its score. */
export function sharesOfExample(
  model: TextModel,
  attributor: Attributor,
  score: ScoreOf,
): Promise<SharesOrReason> {
  const { question, example, store, options } = score;
  return orReason(async () => {
    const { of, texts, rows, stored } = await rowsOfExample(model, attributor, example, store);
    // Rows of tokens have norms of their own, by which each is divided.
    const shares = stored
      ? rows.flatMap((row) => attributor.explainRow(question.row, [row], options))
      : attributor.explainRow(question.row, rows, options);
    return toShares(of, texts, shares);
  });
}

/** What each token of the query adds to the score of the example. */
export function sharesOfQuery(
  model: TextModel,
  attributor: Attributor,
  score: ScoreOf,
): Promise<SharesOrReason> {
  const { question, example, store, options } = score;
  return orReason(async () => {
    const { of, texts, rows } = await rowsOfQuestion(model, attributor, question);
    const shares = rows.map((row) => attributor.explain(row, example, { ...options, store }));
    return toShares(of, texts, shares);
  });
}

interface Parts extends TokenRows {
  readonly of: TokenShares['of'];
  /** Whether each token's row is in the store. */
  readonly stored: boolean;
}

async function rowsOfQuestion(model: TextModel, attributor: Attributor, question: Question): Promise<Parts> {
  if (question.input !== undefined)
    return { of: 'row', ...(await model.tokens(attributor, question.input)), stored: false };
  if (!('example' in question.query)) throw new Error('internal: a question of neither input nor example');
  const { run, store: name, stores } = attributor;
  const store = stores.findIndex((each) => each.run === run && each.name === name);
  return rowsOfExample(model, attributor, question.query.example, store);
}

async function rowsOfExample(
  model: TextModel,
  attributor: Attributor,
  example: number,
  store: number,
): Promise<Parts> {
  const { run } = attributor.stores[store] as SearchedStore;
  const own = attributor.tokenRows(example, store);
  if (own !== undefined) {
    const texts = await model.trainingTexts(run, example);
    if (texts.length - 1 !== own.length)
      throw changed(run.path, example, `it has ${texts.length} tokens, not ${own.length + 1}`);
    return { of: 'row', texts, rows: own, stored: true };
  }
  const found = await model.trainingTokens(attributor, run, example);
  const { frozen, weightsDigest } = run.manifest;
  if (frozen === null || weightsDigest !== attributor.run.manifest.weightsDigest)
    return { of: 'model', ...found, stored: false };
  const row = attributor.exampleRow(example, store);
  const [norm, apart] = [
    lengthOf(row),
    lengthOf(sumOfRows(found.rows).map((value, i) => value - (row[i] ?? 0))),
  ];
  if (apart > ROUNDING[run.manifest.dtype] * norm)
    throw changed(
      run.path,
      example,
      `its gradient is ${(apart / norm).toPrecision(2)} of the row's norm off`,
    );
  return { of: 'row', ...found, stored: false };
}

/** How far tokens' gradients may sum to something else than the row that is stored, relative to its norm. */
const ROUNDING = { float32: 1e-4, float16: 5e-3 };

function changed(run: string, example: number, found: string): QueryInputError {
  return new QueryInputError(
    `example ${example} of ${run}`,
    `is not what its row was made of: ${found}; use the run's own data set, model and tokenizer`,
  );
}

function toShares(
  of: TokenShares['of'],
  texts: readonly string[],
  shares: readonly LayerScore[][],
): TokenShares {
  const tokens = texts.map((text, token): TokenShare => {
    const layers = (shares[token - 1] ?? []).map(({ score }) => score);
    return { text, score: layers.reduce((sum, score) => sum + score, 0), layers };
  });
  return { of, score: tokens.reduce((sum, { score }) => sum + score, 0), tokens };
}

function lengthOf(row: Float32Array): number {
  return Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
}

async function orReason(shares: () => Promise<TokenShares>): Promise<SharesOrReason> {
  try {
    return await shares();
  } catch (error) {
    if (!(error instanceof BergsonError)) throw error;
    return { missing: error.message };
  }
}
