import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import {
  Attributor,
  CorruptStoreError,
  KTooLargeError,
  NonFiniteValueError,
  Run,
  RunNotFoundError,
  StoreNotFoundError,
} from '../../../callbacks';
import { TYPESCRIPT } from '../../support/child-process';
import { runBergson } from '../../support/run-bergson';
import { denseCase } from '../../support/small-models';
import { temporaryDirectory } from '../../support/temporary-directory';
import { trainRun } from '../../support/trained-run';

const directory = temporaryDirectory();
const file = path.join(directory, 'a-file');
let run: string;
/** A copy whose last epoch's store was changed by `change`. */
function copy(name: string, change: (store: string) => void): string {
  const to = path.join(directory, name);
  fs.cpSync(run, to, { recursive: true });
  change(path.join(to, 'train', 'epoch_1'));
  return to;
}

beforeAll(async () => {
  ({ run } = await trainRun(directory, denseCase, { exampleCount: 4, batchSize: 4 }));
  fs.writeFileSync(file, 'not a run');
});

it.each(['query', 'info', 'score', 'export'])('`bergson %s` of a file says that it is one', (command) => {
  const more = {
    query: ['--example', '0'],
    info: [],
    score: ['--queries', run, '--out', path.join(directory, 'no')],
    export: [path.join(directory, 'no')],
  }[command];
  const { code, stderr } = runBergson([command, file, ...(more ?? [])]);
  expect(stderr).toBe(
    `bergson: ${file} is not a run: it is a file; pass the \`path\` a collector was given\n`,
  );
  expect(code).toBe(1);
});

it('names a file that a directory should be, and one that stands below it', () => {
  expect(() => Run.open(file)).toThrow(RunNotFoundError);
  expect(() => Run.open(path.join(file, 'below'))).toThrow('it does not exist');
});

it('shows as many as there are where nobody says how many', () => {
  const { code, stdout } = runBergson(['query', run, '--example', '0']);
  expect(code).toBe(0);
  expect(stdout.match(/│ +\d │ +[+-]/g)).toHaveLength(8);
});

it.each([0, 5, 1.5])('does not search for %d of 4', async (k) => {
  const attributor = await Attributor.open(run);
  await expect(attributor.search([attributor.row(0)], { k })).rejects.toThrow(
    `k must be a whole number from 1 to the 4 rows held, found ${k}`,
  );
  await attributor.close();
});

it('says that a run has no row yet', async () => {
  const empty = copy('empty', (store) => {
    // As a writer leaves it that was killed before its first row.
    for (const name of ['store.msgpack', 'norms.safetensors']) fs.rmSync(path.join(store, name));
    fs.writeFileSync(path.join(store, 'written.bin'), Buffer.alloc(4));
  });
  const attributor = await Attributor.open(empty);
  expect(attributor.rows).toBe(0);
  const row = new Float32Array(attributor.columns.reduce((sum, { width }) => sum + width, 0));
  await expect(attributor.search([row], { k: 1 })).rejects.toThrow(KTooLargeError);
  await expect(attributor.search([row], { k: 1 })).rejects.toThrow('no row is written yet');
  await attributor.close();
});

it('names a store that has not its description, and goes on to say what the run holds', async () => {
  const without = copy('without', (store) => {
    fs.rmSync(path.join(store, 'info.json'));
  });
  await expect(Attributor.open(without)).rejects.toThrow(StoreNotFoundError);
  await expect(Attributor.open(without)).rejects.toThrow(
    'epoch_1 holds no gradient store: it has no info.json',
  );
  const { code, stdout } = runBergson(['info', without]);
  expect(stdout).toContain('epoch_0 can be used');
  expect(code).toBe(1);
});

it('names gradients that were cut short, and those that are no numbers', async () => {
  const short = copy('short', (store) => {
    fs.truncateSync(path.join(store, 'gradients.bin'), 10);
  });
  await expect(Attributor.open(short)).rejects.toThrow(CorruptStoreError);
  const broken = copy('broken', (store) => {
    const gradients = path.join(store, 'gradients.bin');
    const bytes = fs.readFileSync(gradients);
    bytes.writeFloatLE(NaN, 4 * 75 * 2);
    fs.writeFileSync(gradients, bytes);
  });
  const attributor = await Attributor.open(broken);
  const asked = attributor.search([attributor.row(0)], { k: 2 });
  await expect(asked).rejects.toThrow(NonFiniteValueError);
  await expect(asked).rejects.toThrow(/epoch_1.* of example 2 holds NaN/);
  await attributor.close();
});

it.each([
  { what: 'nothing on stdin', args: ['--input', '-'], says: 'stdin: holds no query; write one JSON object' },
  { what: 'no conversation on stdin', args: ['--conversation', '-'], says: 'stdin: holds no conversation' },
  { what: 'a directory', args: ['--input', directory], says: 'cannot be read (EISDIR)' },
  { what: 'no JSON', args: ['--input', file], says: 'a-file, line 1: not JSON' },
  {
    what: 'an epoch there is not',
    args: ['--example', '0', '--store', 'epoch_9'],
    says: 'no store `epoch_9`',
  },
  { what: 'one run twice', args: [`${directory}/`, '--example', '0'], says: 'is not a run' },
  { what: 'a text', args: ['--text', 'Hello.'], says: '--text: texts ask runs of language models' },
])('exits with 1 and the message alone, asked by $what', ({ args, says }) => {
  const bergson = path.join(__dirname, '..', '..', '..', 'scripts', 'bergson.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--require', TYPESCRIPT, bergson, 'query', run, ...args],
    { encoding: 'utf8', input: '' },
  );
  expect(stderr).toContain(says);
  expect(stderr).toMatch(/^bergson: .*\n$/s);
  expect(stderr).not.toContain('    at ');
  expect(stdout).toBe('');
  expect(status).toBe(1);
});

it.each([
  { what: 'a directory for data', data: directory, says: 'cannot be read (it is no file)' },
  { what: 'data that is not there', data: path.join(directory, 'nowhere'), says: 'cannot be read (ENOENT)' },
  { what: 'data without an example', data: '/dev/null', says: 'cannot be read (it is no file)' },
])('does not score $what', ({ data, says }) => {
  const { code, stderr } = runBergson([
    ...['score', run, '--queries', run, '--data', data, '--out', path.join(directory, 'scores')],
  ]);
  expect(stderr).toContain(says);
  expect(stderr).not.toContain('    at ');
  expect(code).toBe(1);
});
