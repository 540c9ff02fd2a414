/** Asks a run of a language model which of its training passages a sentence came from. */
import { Attributor, type Trace } from '../../callbacks';
import type { QueryInput } from '../query/inputs';
import { textInputs } from '../query/inputs';
import { TextModel } from '../query/text-model';
import { toWords, type ScoredText } from '../terminal/words';

export class LanguageQuestions {
  private constructor(
    private readonly model: TextModel,
    private readonly attributor: Attributor,
  ) {}

  /** Opens a run that `bergson train` made, and its model. */
  static async open(run: string): Promise<LanguageQuestions> {
    const attributor = await Attributor.open(run);
    return new LanguageQuestions(await TextModel.load(attributor.run, undefined), attributor);
  }

  /** The row [width] of a text's gradient, under the mean of its tokens' losses, as passages were trained on. */
  async row(text: string): Promise<Float32Array> {
    return (await this.model.row(this.attributor, inputOf(text))).row;
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
  async words(row: Float32Array, passage: string): Promise<ScoredText[]> {
    const { texts, rows } = await this.model.tokens(this.attributor, inputOf(passage));
    const shares = this.attributor.explainRow(row, rows);
    return toWords(
      texts.map((text, token) => ({
        text,
        score: (shares[token - 1] ?? []).reduce((sum, { score }) => sum + score, 0),
      })),
    );
  }

  async close(): Promise<void> {
    await this.attributor.close();
    this.model.dispose();
  }
}

function inputOf(text: string): QueryInput {
  const [input] = textInputs('the demo', [text]);
  if (input === undefined) throw new Error('internal: a text made no query');
  return input;
}
