/** How long questions take to be answered, asked one after the other once the model is loaded. */
import { performance } from 'node:perf_hooks';
import { spread } from '../bench/statistics';
import { colors } from '../terminal/colors';
import { paragraph } from '../terminal/layout';

/** The first answers wait for what is made once: the comparison of weights, projections, TensorFlow's own memory. */
const WARM_UP = 5;

/** Asks `questions` of them by number, and returns how many milliseconds each but the first few took. */
export async function timeAnswers(
  questions: number,
  ask: (question: number) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  for (let question = 0; question < questions; question++) {
    const start = performance.now();
    await ask(question);
    if (question >= WARM_UP) times.push(performance.now() - start);
  }
  return times;
}

export function describeAnswerTime(times: readonly number[]): string {
  const { median, upperQuartile } = spread(times);
  return paragraph(
    `An answer takes ${colors.bold(`${median.toFixed(0)} ms`)} once the model is loaded, the question's gradient included ` +
      `(median of ${times.length}; a quarter take more than ${upperQuartile.toFixed(0)} ms).`,
  );
}
