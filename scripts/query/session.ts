/** A run that is being asked: opened once, its model loaded when the first question needs it. */
import {
  Attributor,
  type AttributorOptions,
  type LayerScore,
  type SearchedStore,
  type TraceOptions,
} from '../../lib/attributor';
import { BergsonError, InvalidOptionError } from '../../lib/errors';
import { unlessDamaged } from '../../lib/query/damage';
import type { Trace } from '../../lib/query/trace';
import type { InputRow } from './input-model';
import type { QueryInput } from './inputs';
import type { QueryModel } from './query-model';
import type { Question } from './question';
import { textSource } from './text-source';
import { Stopwatch, type Took } from './stopwatch';
import type { TextModel } from './text-model';
import { sharesOfExample, sharesOfQuery, type ScoreOf, type SharesOrReason } from './token-shares';

/** How to open a run. */
export interface SessionOptions extends AttributorOptions {
  /** Where the language model of the run is now; default: where it was. */
  readonly model?: string | undefined;
  /** Told of each text that was cut off, and after how many tokens. */
  readonly onTruncated: (where: string, tokens: number) => void;
}

/** How to ask. */
export interface AskOptions extends TraceOptions {
  readonly k: number;
}

/** The answer to one question, or to several as one. */
export interface Answer {
  readonly questions: readonly Question[];
  readonly trace: Trace;
}

/** A score taken apart. */
export interface Explanation {
  /** Where the example's row lies. */
  readonly run: string;
  readonly store: string;
  readonly example: number;
  readonly score: number;
  readonly layers: readonly LayerScore[];
  /** By the tokens of the example, and by those of the query; of runs of language models. */
  readonly byToken?: { readonly example: SharesOrReason; readonly query: SharesOrReason };
}

/** How to take a score apart. */
export interface ExplainOptions extends Pick<TraceOptions, 'layers' | 'unitNorm'> {
  /** Whether by token, too, which takes the run's model. */
  readonly tokens: boolean;
}

export class QuerySession {
  private model: Promise<QueryModel | TextModel> | undefined;
  private readonly stopwatch = new Stopwatch();

  private constructor(
    readonly attributor: Attributor,
    private readonly options: SessionOptions,
  ) {}

  /** @throws what `Attributor.open` throws; InvalidOptionError for the model of a run that has its own */
  static async open(runs: string | readonly string[], options: SessionOptions): Promise<QuerySession> {
    const session = new QuerySession(await Attributor.open(runs, options), options);
    if (options.model === undefined || session.takesTexts) return session;
    await session.close();
    throw new InvalidOptionError('model', options.model, 'left out: this run is not of a language model');
  }

  /** Whether the run is of a language model, which texts ask. */
  get takesTexts(): boolean {
    return textSource(this.attributor.run) !== null;
  }

  /** Questions by rows of the store itself; they need no model. @throws ExampleRangeError, RowNotWrittenError */
  fromExamples(examples: readonly number[]): Question[] {
    const records = unlessDamaged(() => this.attributor.run.exampleRecords(examples), this.options.onDamage);
    const { stores, run, store } = this.attributor;
    const of = stores.length === 1 ? '' : ` of ${run.path}, ${store}`;
    return examples.map((example) => ({
      query: { example },
      title: `Training example ${example}${of}`,
      record: records?.get(example) ?? null,
      row: this.attributor.row(example),
    }));
  }

  /** Questions by gradients of the run's own model. @throws QueryInputError, SavedModelError, ModelFolderError */
  async fromInputs(inputs: readonly QueryInput[]): Promise<Question[]> {
    const model = await this.loaded();
    const questions: Question[] = [];
    for (const input of inputs) {
      const made = await this.stopwatch.measure('gradients', () => model.row(this.attributor, input));
      this.tell(input, made);
      const { row, record, truncatedTo } = made;
      questions.push({
        query: { input: input.where, ...(truncatedTo !== null && { truncatedTo }) },
        title: `${titleOf(input)} in ${input.where}`,
        record: Object.keys(record).length === 0 ? null : record,
        input,
        row,
      });
    }
    return questions;
  }

  /** The rows [width] of inputs, computed at once. @throws QueryInputError, SavedModelError, ModelFolderError */
  async rowsOf(inputs: readonly QueryInput[]): Promise<Float32Array[]> {
    const made = await (await this.loaded()).rows(this.attributor, inputs);
    return made.map((each, i) => {
      this.tell(inputs[i], each);
      return each.row;
    });
  }

  /** @throws KTooLargeError, UnknownColumnError */
  async ask(questions: readonly Question[], options: AskOptions): Promise<Answer[]> {
    const rows = questions.map(({ row }) => row);
    const traces = await this.stopwatch.measure('search', () => this.attributor.search(rows, options));
    return traces.map((trace, i) => ({
      questions: options.aggregate === undefined ? questions.slice(i, i + 1) : questions,
      trace,
    }));
  }

  /**
   * What each layer adds to the score of `example`, in each of the stores that hold it and, of a run of a language model, what
   * each token does.
   * @throws ExampleRangeError, RowNotWrittenError if none does; UnknownColumnError
   */
  async explain(
    question: Question,
    example: number,
    { layers, unitNorm, tokens }: ExplainOptions,
  ): Promise<Explanation[]> {
    const { attributor } = this;
    const options = { ...(layers && { layers }), ...(unitNorm !== undefined && { unitNorm }) };
    const explanations: Explanation[] = [];
    for (const store of attributor.storesWith(example)) {
      const { run, name } = attributor.stores[store] as SearchedStore;
      const found = attributor.explain(question.row, example, { ...options, store });
      const score = found.reduce((sum, of) => sum + of.score, 0);
      const asked = { question, example, store, options };
      const byToken = tokens && this.takesTexts ? await this.explainTokens(asked) : {};
      explanations.push({ run: run.path, store: name, example, score, layers: found, ...byToken });
    }
    return explanations;
  }

  /** How long it took to answer what was asked since this was last asked. */
  took(): Took {
    return this.stopwatch.lap();
  }

  async close(): Promise<void> {
    await this.attributor.close();
    const model = await this.model?.catch(() => undefined); // who asked has been told
    model?.dispose();
  }

  private tell(input: QueryInput | undefined, { truncatedTo }: InputRow): void {
    if (truncatedTo !== null) this.options.onTruncated(input?.where ?? '', truncatedTo);
  }

  private async explainTokens(score: ScoreOf): Promise<Pick<Explanation, 'byToken'>> {
    try {
      const model = (await this.loaded()) as TextModel;
      const example = await sharesOfExample(model, this.attributor, score);
      return { byToken: { example, query: await sharesOfQuery(model, this.attributor, score) } };
    } catch (error) {
      if (!(error instanceof BergsonError)) throw error;
      const { message: missing } = error;
      return { byToken: { example: { missing }, query: { missing } } };
    }
  }

  /** The model, which is loaded once. */
  private loaded(): Promise<QueryModel | TextModel> {
    if (this.model !== undefined) return this.model;
    const model = this.loadModel();
    this.model = model;
    return this.stopwatch.measure('load', () => model);
  }

  private loadModel(): Promise<QueryModel | TextModel> {
    if (this.takesTexts) {
      const { TextModel } = require('./text-model') as typeof import('./text-model');
      return TextModel.load(this.attributor.run, this.options.model);
    }
    const { QueryModel } = require('./query-model') as typeof import('./query-model');
    return QueryModel.load(this.attributor.run);
  }
}

function titleOf({ document, messages }: QueryInput): string {
  if (messages !== undefined) return 'Conversation asked';
  return document === undefined ? 'Query' : 'Text asked';
}
