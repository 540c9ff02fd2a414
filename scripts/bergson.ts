#!/usr/bin/env node
/** The `bergson` command line: one file per command in commands/. Exit codes: 1 when it fails, 2 for wrong usage. */
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { BergsonError } from '../lib/errors';
import { doctorCommand } from './commands/doctor';
import { setupCommand } from './commands/setup';

const FAILURE = 1;
const WRONG_USAGE = 2;

async function main(): Promise<void> {
  const cli = yargs(hideBin(process.argv))
    .scriptName('bergson')
    .usage('$0 <command>\n\nFinds which training examples taught a TensorFlow.js model what it just did.')
    .command(setupCommand)
    .command(doctorCommand)
    .demandCommand(1, 1, 'Which command?', 'One command at a time.')
    .recommendCommands()
    .strict()
    .exitProcess(false)
    .wrap(Math.min(100, process.stdout.columns || 100))
    .fail((message: string | null, error: Error | undefined, parser) => {
      if (error !== undefined) throw error;
      console.error(`${message ?? ''}\n`);
      parser.showHelp();
      process.exitCode = WRONG_USAGE;
    });
  await cli.parseAsync();
}

main().catch((error: unknown) => {
  // An error thrown on purpose says all there is to say; any other is a defect, whose stack is wanted.
  console.error(error instanceof BergsonError ? `bergson: ${error.message}` : error);
  process.exitCode = FAILURE;
});
