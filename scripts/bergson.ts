#!/usr/bin/env node
/** The `bergson` command line: one file per command in commands/. Exit codes: 1 when it fails, 2 for wrong usage. */
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { BergsonError } from '../lib/errors';
import { indexCommand } from './commands/build-index';
import { doctorCommand } from './commands/doctor';
import { preconditionCommand } from './commands/precondition';
import { setupCommand } from './commands/setup';
import { verifyCommand } from './commands/verify';
import { queryCommand } from './query';

const FAILURE = 1;
const WRONG_USAGE = 2;

/** Ends a command whose arguments were wrong, after they were explained. */
class WrongUsage extends Error {}

async function main(): Promise<void> {
  const cli = yargs(hideBin(process.argv))
    .scriptName('bergson')
    .usage('$0 <command>\n\nFinds which training examples taught a TensorFlow.js model what it just did.')
    .command(queryCommand)
    .command(indexCommand)
    .command(verifyCommand)
    .command(preconditionCommand)
    .command(setupCommand)
    .command(doctorCommand)
    .demandCommand(1, 1, 'Which command?', 'One command at a time.')
    .recommendCommands()
    .strict()
    .exitProcess(false)
    .wrap(Math.min(100, process.stdout.columns || 100))
    .fail((message: string | null, error: unknown, parser) => {
      // An error is a command's own failure; a message alone, or the text that a command's check returned, is not.
      if (error instanceof Error) throw error;
      console.error(`${message ?? ''}\n`);
      parser.showHelp();
      // Thrown because the command would run all the same.
      throw new WrongUsage();
    });
  await cli.parseAsync();
}

main().catch((error: unknown) => {
  if (error instanceof WrongUsage) {
    process.exitCode = WRONG_USAGE;
    return;
  }
  // An error thrown on purpose says all there is to say; any other is a defect, whose stack is wanted.
  console.error(error instanceof BergsonError ? `bergson: ${error.message}` : error);
  process.exitCode = FAILURE;
});
