import fs from 'node:fs';
import path from 'node:path';
import { writeJsonl } from '../datasets/support';
import { kill, startBergson } from '../support/child-process';
import { runBergson } from '../support/run-bergson';
import { temporaryDirectory } from '../support/temporary-directory';
import { writeModel } from './support';

const TEXTS = 150;
/** Rows that are there before the kill, at least. */
const BEFORE = 12;

const directory = temporaryDirectory();
const model = writeModel(directory);
const dataset = writeJsonl(
  directory,
  'texts.jsonl',
  Array.from({ length: TEXTS }, (_, i) => ({
    text: `The river of ${i} rises in the hills${', and the sea is never full'.repeat(i % 5)}.`,
  })),
);
const options = ['--model', model, '--dataset', dataset, '--token-batch-size', '64', '--projection-dim', '4'];

const fileOf = (run: string, name: string) => path.join(run, 'train', 'static', name);
const flagsOf = (run: string) => {
  const file = fileOf(run, 'written.bin');
  return fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0);
};
const written = (run: string) => flagsOf(run).reduce((sum, flag) => sum + flag, 0);

it('goes on where SIGKILL ended it, computes no row again, and comes to the same store', async () => {
  const run = path.join(directory, 'killed');
  const child = startBergson('build', run, ...options);
  while (written(run) < BEFORE) await new Promise((resolve) => setTimeout(resolve, 2));
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

  const again = runBergson(['build', run, ...options, '--json']);
  expect(again.stderr).toBe('');
  expect(JSON.parse(again.stdout)).toMatchObject({ computed: TEXTS - found, found, failed: [] });
  const after = fs.readFileSync(fileOf(run, 'gradients.bin'));
  expect(after.subarray(marked * width, (marked + 1) * width).equals(other)).toBe(true);
  overwrite(fileOf(run, 'gradients.bin'), own, marked * width);

  const whole = path.join(directory, 'whole');
  expect(runBergson(['build', whole, ...options]).code).toBe(0);
  for (const name of ['gradients.bin', 'written.bin', 'info.json'])
    expect(fs.readFileSync(fileOf(run, name)).equals(fs.readFileSync(fileOf(whole, name)))).toBe(true);
});

function overwrite(file: string, bytes: Buffer, position: number): void {
  const descriptor = fs.openSync(file, 'r+');
  fs.writeSync(descriptor, bytes, 0, bytes.length, position);
  fs.closeSync(descriptor);
}
