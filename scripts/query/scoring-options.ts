/** Options that commands have in common which make rows of queries and score by them. */
import type { Argv } from 'yargs';

export interface ScoringArguments {
  readonly model?: string;
  readonly 'conversation-column'?: string;
  readonly layers?: string[];
  readonly 'unit-norm': boolean;
  readonly precondition: boolean;
}

export function withScoringOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('model', {
      type: 'string',
      requiresArg: true,
      describe: "Folder of the run's language model, if it is not where it was",
    })
    .option('conversation-column', {
      type: 'string',
      requiresArg: true,
      describe: 'What queries by conversation have their messages in; default: messages',
    })
    .option('layers', {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: 'Score by these layers alone',
    })
    .option('unit-norm', {
      type: 'boolean',
      default: false,
      describe: 'Divide scores by the norms of examples, so that outliers do not lead every list',
    })
    .option('precondition', {
      type: 'boolean',
      default: false,
      describe: 'Take into account the inverse curvature that `bergson precondition` fitted',
    });
}
