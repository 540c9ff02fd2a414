import fs from 'node:fs';
import path from 'node:path';
import { loadAddresses } from '../../scripts/demo-lm/addresses';
import { SetupError } from '../../scripts/setup/errors';
import { runBergson, runScript, type Finished } from '../support/run-bergson';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const run = path.join(directory, 'demo-lm');
const PASSAGES = 150;
/** Of sentences from training passages. Two epochs of 200 passages gave 0.75; chance is 1 in 150. */
const FOUND_AT_LEAST = 0.5;

let demo: Finished | undefined;

beforeAll(async () => {
  try {
    expect(await loadAddresses()).toHaveLength(233);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`skipped the demo on addresses: ${error.message}\n`);
    return;
  }
  demo = runScript('demo-lm.ts', ['--passages', `${PASSAGES}`, '--epochs', '2', '--path', run]);
}, 300_000);

it('trains, and shows the passages of sentences with words marked, in lines of 100 columns', () => {
  if (demo === undefined) return;
  expect(demo.code).toBe(0);
  for (const line of [
    /GPT of 2 layers on 150 passages of State of the Union addresses/,
    /epoch 2 of 2: loss \d\.\d+/,
    /^A sentence that it was trained on, .*, 20\d\d$/m,
    /^A sentence of an address that it was not trained on/m,
    /^\+0\.\d+ {2}.*, 20\d\d; seen at steps \d+, \d+$/m,
    /\[\S+\]/,
    /^An answer takes \d+ ms once the model is loaded/m,
  ])
    expect(demo.stdout).toMatch(line);
  for (const line of demo.stdout.replaceAll(run, 'runs/demo-lm').split('\n'))
    expect(Array.from(line).length).toBeLessThanOrEqual(100);
});

it('finds the passage of a sentence at the top of all far more often than by chance', () => {
  if (demo === undefined) return;
  const [, asked, found] =
    /Of (\d+) sentences, [^;]*?, (\d+) have\s+that/.exec(demo.stdout.replace(/\n/g, ' ')) ?? [];
  expect(Number(asked)).toBeGreaterThan(50);
  expect(Number(found) / Number(asked)).toBeGreaterThan(FOUND_AT_LEAST);
});

it('leaves a run and a model that the command line takes', () => {
  if (demo === undefined) return;
  const query = runBergson(['query', run, '--example', '17', '-k', '2', '--json']);
  expect(query.code).toBe(0);
  const next = path.join(directory, 'tokens');
  const data = path.join(`${run}-data`, 'passages.jsonl');
  const options = ['--model', path.join(run, 'model'), '--dataset', data, '--text-column', 'text'];
  const build = runBergson([
    'build',
    next,
    ...options,
    '--split',
    '0:4',
    '--attribute',
    'tokens',
    '--no-index',
  ]);
  expect(build.code).toBe(0);
  expect(fs.existsSync(path.join(next, 'config.yaml'))).toBe(true);
});
