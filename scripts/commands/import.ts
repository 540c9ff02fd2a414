/** `bergson import`: a run of an index that Bergson wrote. */
import type { CommandModule } from 'yargs';
import { importIndex } from '../../lib/run/import-index';

interface ImportArguments {
  index: string;
  run: string;
  json: boolean;
}

export const importCommand: CommandModule<object, ImportArguments> = {
  command: 'import <index> <run>',
  describe: 'Make a run of an index that Bergson wrote, with norms and checksums',
  builder: (yargs) =>
    yargs
      .positional('index', {
        type: 'string',
        demandOption: true,
        describe: 'Directory with gradients.bin and info.json',
      })
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory to make; not there yet' })
      .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
      .example('$0 import bergson-index runs/imported', 'Copy it, and measure it')
      .example('$0 query runs/imported --example 17', 'Then ask it by its own rows'),
  handler: async ({ index, run: directory, json }) => {
    const run = await importIndex(index, directory);
    const { path, manifest } = run;
    const outcome = { run: path, imported: manifest.imported, examples: manifest.examples };
    console.log(json ? JSON.stringify(outcome, undefined, 2) : `${path} is ${run.describe()}`);
  },
};
