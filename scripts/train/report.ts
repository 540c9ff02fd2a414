/** Prints what a training came to. */
import { runPaths } from '../../lib/run/run-paths';
import { colors } from '../terminal/colors';
import { paragraph } from '../terminal/layout';
import type { TrainedRun } from './train-language-model';

/** What `bergson train --json` prints. */
export function toOutcome({ run, losses, counts, steps, stepsDone, epochsFound }: TrainedRun) {
  return {
    run: run.path,
    model: runPaths.model(run.path),
    steps,
    stepsDone,
    interrupted: stepsDone < steps,
    epochsFound,
    losses,
    counts,
  };
}

export function describeTrained({ run, losses, counts, steps, stepsDone, epochsFound }: TrainedRun): string {
  const [first, last] = [losses[0], losses.at(-1)];
  const loss =
    first === undefined || last === undefined
      ? ''
      : ` The loss is ${last.toFixed(3)}${losses.length > 1 ? `, from ${first.toFixed(3)} in the first epoch` : ''}.`;
  const stopped = stepsDone < steps ? `Stopped after ${stepsDone} of ${steps} steps. ` : '';
  const found = epochsFound > 0 ? `Went on after epoch ${epochsFound}. ` : '';
  return [
    `${found}${stopped}${colors.bold(run.path)} is ${run.describe()}, of ${counts.tokens} tokens.${loss}`,
    ...counts.skipped.map(
      ({ reason, count, firstRows }) => `${count} unused, the first in row ${firstRows[0] ?? 0}: ${reason}.`,
    ),
    ...(counts.truncated > 0 ? [`Cut off at the context: ${counts.truncated}.`] : []),
    ...(stepsDone < steps ? ['The same command goes on after the last whole epoch.'] : []),
    `The model, as Hugging Face has it: ${runPaths.model(run.path)}`,
  ]
    .map(paragraph)
    .join('\n');
}
