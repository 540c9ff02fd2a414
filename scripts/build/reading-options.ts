/** The options of commands that read texts: which columns, and what becomes of long ones. */
import type { Argv } from 'yargs';

const text = (describe: string) => ({ type: 'string', requiresArg: true, describe }) as const;

/** Which rows and columns of a data set are read. */
export function withColumns<T>(yargs: Argv<T>) {
  return yargs
    .option('split', text('Part of the data set, such as train[:10%] or 0:200'))
    .option('text-column', text('Column of texts; guessed where it is clear'))
    .option('prompt-column', text('Column of prompts, which have no loss'))
    .option('completion-column', text('Column of completions, which have'))
    .option('conversation-column', text('Column of conversations, by the tokenizer’s chat template'));
}

/** How long examples are. */
export function withLengths<T>(yargs: Argv<T>) {
  return yargs
    .option('long-documents', {
      ...text('Cut off what the model cannot take, or make several examples; default: truncate'),
      choices: ['truncate', 'chunk'] as const,
    })
    .option('context-length', {
      type: 'number',
      requiresArg: true,
      describe: 'Tokens of an example at most; default: what the model takes',
    });
}
