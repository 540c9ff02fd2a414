import fs from 'node:fs';
import path from 'node:path';
import { buildRun } from '../../callbacks';
import { writeJsonl } from '../datasets/support';
import { kill, startBergson } from '../support/child-process';
import { temporaryDirectory } from '../support/temporary-directory';
import { configs, silent } from './support';

const TEXTS = 150;
/** Rows that are there before the kill, at least. */
const BEFORE = 12;

const directory = temporaryDirectory();
const config = configs(directory);
const dataset = writeJsonl(
  directory,
  'many.jsonl',
  Array.from({ length: TEXTS }, (_, i) => ({
    text: `The river of ${i} rises in the hills${', and the sea is never full'.repeat(i % 5)}.`,
  })),
);

const fileOf = (run: string, name: string) => path.join(run, 'train', 'static', name);
const flagsOf = (run: string) => {
  const file = fileOf(run, 'written.bin');
  return fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0);
};
const written = (run: string) => flagsOf(run).reduce((sum, flag) => sum + flag, 0);

it('goes on where SIGKILL ended it, computes no row again, and comes to the same store', async () => {
  const asked = config({ dataset, tokenBatchSize: 64 });
  const { run } = asked;
  const options = ['--text-column', 'text', '--token-batch-size', '64', '--normalizer', 'none'];
  const child = startBergson(
    ...['build', run, '--model', asked.model, '--dataset', dataset],
    ...[...options, '--projection-dim', '4', '--no-index'],
  );
  while (child.exitCode === null && written(run) < BEFORE)
    await new Promise((resolve) => setTimeout(resolve, 2));
  await kill(child);
  const before = flagsOf(run);
  const found = written(run);
  expect(found).toBeLessThan(TEXTS);
  // Rows that are there are not touched, not even to write the same.
  const width = fs.statSync(fileOf(run, 'gradients.bin')).size / TEXTS;
  const marked = before.indexOf(1);
  const gradients = fs.readFileSync(fileOf(run, 'gradients.bin'));
  const own = gradients.subarray(marked * width, (marked + 1) * width);
  const other = Buffer.from(own.map((byte) => byte ^ 1));
  overwrite(fileOf(run, 'gradients.bin'), other, marked * width);

  expect(await buildRun(asked, silent)).toMatchObject({ computed: TEXTS - found, found, failed: [] });
  const after = fs.readFileSync(fileOf(run, 'gradients.bin'));
  expect(after.subarray(marked * width, (marked + 1) * width).equals(other)).toBe(true);
  overwrite(fileOf(run, 'gradients.bin'), own, marked * width);

  const { run: whole } = await buildRun({ ...asked, run: path.join(directory, 'whole') }, silent);
  for (const name of ['gradients.bin', 'written.bin', 'info.json'])
    expect(fs.readFileSync(fileOf(run, name)).equals(fs.readFileSync(fileOf(whole.path, name)))).toBe(true);
});

function overwrite(file: string, bytes: Buffer, position: number): void {
  const descriptor = fs.openSync(file, 'r+');
  fs.writeSync(descriptor, bytes, 0, bytes.length, position);
  fs.closeSync(descriptor);
}
