/** A run that is being asked: opened once, its model loaded when the first question needs it. */
import { Attributor, type AttributorOptions, type LayerScore, type TraceOptions } from '../../lib/attributor';
import { unlessDamaged, type OnDamage } from '../../lib/query/damage';
import type { Trace } from '../../lib/query/trace';
import type { QueryInput } from './inputs';
import type { QueryModel } from './query-model';
import type { Question } from './question';

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
  readonly example: number;
  readonly score: number;
  readonly layers: readonly LayerScore[];
}

export class QuerySession {
  private model: Promise<QueryModel> | undefined;

  private constructor(
    readonly attributor: Attributor,
    private readonly onDamage: OnDamage | undefined,
  ) {}

  /** @throws what `Attributor.open` throws */
  static async open(run: string, options: AttributorOptions): Promise<QuerySession> {
    return new QuerySession(await Attributor.open(run, options), options.onDamage);
  }

  /** Questions by rows of the store itself; they need no model. @throws ExampleRangeError, RowNotWrittenError */
  fromExamples(examples: readonly number[]): Question[] {
    const records = unlessDamaged(() => this.attributor.run.exampleRecords(examples), this.onDamage);
    return examples.map((example) => ({
      query: { example },
      title: `Training example ${example}`,
      record: records?.get(example) ?? null,
      row: this.attributor.row(example),
    }));
  }

  /** Questions by gradients of the run's own model. @throws QueryInputError, SavedModelError */
  async fromInputs(inputs: readonly QueryInput[]): Promise<Question[]> {
    this.model ??= this.loadModel();
    const model = await this.model;
    const questions: Question[] = [];
    for (const input of inputs) {
      questions.push({
        query: { input: input.where },
        title: `Query in ${input.where}`,
        record: Object.keys(input.record).length === 0 ? null : input.record,
        row: await model.row(this.attributor, input),
      });
    }
    return questions;
  }

  /** The rows [width] of inputs, computed at once. @throws QueryInputError, SavedModelError */
  async rowsOf(inputs: readonly QueryInput[]): Promise<Float32Array[]> {
    this.model ??= this.loadModel();
    return (await this.model).rows(this.attributor, inputs);
  }

  /** @throws KTooLargeError, UnknownColumnError */
  async ask(questions: readonly Question[], options: AskOptions): Promise<Answer[]> {
    const traces = await this.attributor.search(
      questions.map(({ row }) => row),
      options,
    );
    return traces.map((trace, i) => ({
      questions: options.aggregate === undefined ? questions.slice(i, i + 1) : questions,
      trace,
    }));
  }

  /** What each layer adds to the score of `example`. @throws ExampleRangeError, RowNotWrittenError, UnknownColumnError */
  explain({ row }: Question, example: number, options: TraceOptions): Explanation {
    const layers = this.attributor.explain(row, example, options);
    return { example, score: layers.reduce((sum, { score }) => sum + score, 0), layers };
  }

  close(): Promise<void> {
    return this.attributor.close();
  }

  private loadModel(): Promise<QueryModel> {
    const { QueryModel } = require('./query-model') as typeof import('./query-model');
    return QueryModel.load(this.attributor.run);
  }
}
