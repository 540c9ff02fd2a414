/** `bergson setup`: makes the native parts work. */
import type { CommandModule } from 'yargs';
import { stamp } from '../setup/outcome';
import { setUpProjection } from '../setup/projection';
import { setUpSearch } from '../setup/search';
import { setUpTensorflow } from '../setup/tensorflow';

interface SetupArguments {
  gpu?: boolean;
  wheel?: string;
  json?: boolean;
}

export const setupCommand: CommandModule<object, SetupArguments> = {
  command: 'setup',
  describe: 'Link TensorFlow and build the search index library; without them, slower parts serve instead',
  builder: (yargs) =>
    yargs
      .option('gpu', { type: 'boolean', conflicts: 'wheel', describe: 'Link TensorFlow with CUDA 12' })
      .option('wheel', {
        type: 'string',
        requiresArg: true,
        describe: 'Link the installed tensorflow Python package in this directory',
      })
      .option('json', { type: 'boolean', describe: 'Print the outcome as JSON' })
      .example('$0 setup', 'Use what already works; download and build the rest')
      .example('$0 setup --gpu', 'Use the GPU')
      .example('$0 setup --wheel venv/lib/python3.11/site-packages/tensorflow', 'Download nothing'),
  handler: async ({ gpu, wheel, json }) => {
    // Progress goes to stderr, so that stdout holds the outcome alone.
    const report = (line: string) => {
      console.error(line);
    };
    // One waits for the network while the other compiles.
    const parts = [setUpTensorflow({ gpu, wheel }, report), setUpSearch(report), setUpProjection(report)];
    const outcomes = await Promise.all(parts);
    stamp(outcomes);
    if (json === true) {
      console.log(JSON.stringify(outcomes.map(({ part, ready, detail }) => ({ part, ready, detail }))));
    } else {
      for (const { detail } of outcomes) console.log(detail);
    }
  },
};
