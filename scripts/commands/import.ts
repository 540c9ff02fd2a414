/** `bergson import`: a run of an index that Bergson wrote. */
import type { CommandModule } from 'yargs';
import { loadBackend } from '../../lib/backend';
import { importIndex } from '../../lib/run/import-index';

interface ImportArguments {
  index: string;
  run: string;
  model?: string;
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
      .option('model', {
        type: 'string',
        requiresArg: true,
        describe: "Folder of the index's language model in Hugging Face's format; texts can then ask the run",
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
      .example('$0 import bergson-index runs/imported', 'Copy it, and measure it')
      .example('$0 query runs/imported --example 17', 'Then ask it by its own rows')
      .example('$0 import bergson-index runs/imported --model models/gpt2', 'Or by texts: query --text'),
  handler: async ({ index, run: directory, model, json }) => {
    if (model !== undefined) await loadBackend();
    const run = await importIndex(index, directory, model === undefined ? {} : { model });
    const { path, manifest } = run;
    const { imported, examples, frozen } = manifest;
    const outcome = {
      ...{ run: path, imported, examples },
      model: frozen?.model?.path ?? null,
      lossReduction: frozen?.lossReduction ?? null,
    };
    console.log(json ? JSON.stringify(outcome, undefined, 2) : `${path} is ${run.describe()}`);
  },
};
