#!/usr/bin/env node
/** The `bergson` command line: one file per command in commands/. Exit codes: 1 when it fails, 2 for wrong usage. */
import yargs, { type Argv } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { BergsonError } from '../lib/errors';

/** What is loaded only when its command is asked for, or help: TensorFlow.js takes longer than many a command. */
const COMMANDS: Readonly<Record<string, (cli: Argv) => Argv>> = {
  build(cli) {
    const { buildCommand } = require('./commands/build') as typeof import('./commands/build');
    return cli.command(buildCommand);
  },
  trackstar(cli) {
    const { trackstarCommand } = require('./commands/trackstar') as typeof import('./commands/trackstar');
    return cli.command(trackstarCommand);
  },
  generate(cli) {
    const { generateCommand } = require('./commands/generate') as typeof import('./commands/generate');
    return cli.command(generateCommand);
  },
  train(cli) {
    const { trainCommand } = require('./commands/train') as typeof import('./commands/train');
    return cli.command(trainCommand);
  },
  query(cli) {
    const { queryCommand } = require('./query') as typeof import('./query');
    return cli.command(queryCommand);
  },
  score(cli) {
    const { scoreCommand } = require('./commands/score') as typeof import('./commands/score');
    return cli.command(scoreCommand);
  },
  index(cli) {
    const { indexCommand } = require('./commands/build-index') as typeof import('./commands/build-index');
    return cli.command(indexCommand);
  },
  verify(cli) {
    const { verifyCommand } = require('./commands/verify') as typeof import('./commands/verify');
    return cli.command(verifyCommand);
  },
  precondition(cli) {
    const { preconditionCommand } =
      require('./commands/precondition') as typeof import('./commands/precondition');
    return cli.command(preconditionCommand);
  },
  info(cli) {
    const { infoCommand } = require('./commands/info') as typeof import('./commands/info');
    return cli.command(infoCommand);
  },
  export(cli) {
    const { exportCommand } = require('./commands/export') as typeof import('./commands/export');
    return cli.command(exportCommand);
  },
  import(cli) {
    const { importCommand } = require('./commands/import') as typeof import('./commands/import');
    return cli.command(importCommand);
  },
  setup(cli) {
    const { setupCommand } = require('./commands/setup') as typeof import('./commands/setup');
    return cli.command(setupCommand);
  },
  doctor(cli) {
    const { doctorCommand } = require('./commands/doctor') as typeof import('./commands/doctor');
    return cli.command(doctorCommand);
  },
};

const FAILURE = 1;
const WRONG_USAGE = 2;

/** Ends a command whose arguments were wrong, after they were explained. */
class WrongUsage extends Error {}

async function main(): Promise<void> {
  const words = withCommand(hideBin(process.argv));
  const asked = COMMANDS[words[0] ?? ''];
  const cli = yargs(words)
    .scriptName('bergson')
    .usage('$0 <command>\n\nFinds which training examples taught a TensorFlow.js model what it just did.')
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
  for (const add of asked === undefined ? Object.values(COMMANDS) : [asked]) add(cli);
  await cli.parseAsync();
}

/** `RUN --model M --dataset D` is `build` without the word. */
function withCommand(args: string[]): string[] {
  const has = (option: string) => args.some((arg) => arg === option || arg.startsWith(`${option}=`));
  const named = Object.hasOwn(COMMANDS, args[0] ?? '');
  return has('--model') && has('--dataset') && !named ? ['build', ...args] : args;
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
