/** Adds the store argv[2] to the sums in argv[3] over and over, under a new name each time. */
import { addStore } from '../../../lib/store/accumulate';
import { GradientStoreReader } from '../../../lib/store/reader';

const [, , from = '', into = '', first = '0'] = process.argv;

async function main(): Promise<void> {
  const store = GradientStoreReader.open(from);
  for (let epoch = Number(first); ; epoch++) {
    await addStore(store, into, { source: `epoch_${epoch}` });
    process.stdout.write('added\n');
  }
}

void main();
