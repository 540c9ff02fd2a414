/** `bergson info`: what a run holds, how large it is and, if asked, whether it is as it was written. */
import type { CommandModule } from 'yargs';
import { Run } from '../../lib/run/run';
import { describeInfo } from '../info/info-report';
import { collectInfo } from '../info/run-info';

interface InfoArguments {
  run: string;
  verify: boolean;
  json: boolean;
}

export const infoCommand: CommandModule<object, InfoArguments> = {
  command: 'info <run>',
  describe: 'Say what a run holds: stores, rows, layers and their columns, index, bytes on disk',
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory of the run' })
      .option('verify', {
        type: 'boolean',
        default: false,
        describe: 'Read every file of its stores again, and compare checksums',
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print it as JSON' })
      .example('$0 info runs/demo', 'What there is')
      .example('$0 info runs/demo --verify', 'Whether it is as it was written; exits with 1 if not')
      .example('$0 info runs/demo --json | jq .bytes.total', 'For machines'),
  handler: async ({ run: directory, verify, json }) => {
    const run = Run.open(directory);
    const info = await collectInfo(run, verify);
    console.log(json ? JSON.stringify(info, undefined, 2) : describeInfo(info, run.describe()));
    if (info.stores.some(({ problem }) => problem !== null) || info.damaged.length > 0) process.exitCode = 1;
  },
};
