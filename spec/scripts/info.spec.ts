import fs from 'node:fs';
import path from 'node:path';
import type { RunInfo } from '../../scripts/info/run-info';
import { runBergson } from '../support/run-bergson';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { trainRun } from '../support/trained-run';

const directory = temporaryDirectory();

function info(run: string, ...args: string[]): { code: number | null; found: RunInfo } {
  const { code, stdout, stderr } = runBergson(['info', run, '--json', ...args]);
  expect(stderr).toBe('');
  return { code, found: JSON.parse(stdout) as RunInfo };
}

function bytesIn(place: string): number {
  const names = fs.readdirSync(place, { recursive: true, encoding: 'utf8' });
  const stats = names.map((name) => fs.statSync(path.join(place, name)));
  return stats.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

it('says what a run holds and what it takes', async () => {
  const { run } = await trainRun(directory, denseCase, { dtype: 'float16' });
  const { code, found } = info(run, '--verify');
  expect(code).toBe(0);
  expect(found).toMatchObject({
    state: 'complete',
    order: { steps: 6, tornBytes: 0 },
    columns: [
      { layer: 'hidden', width: 48 },
      { layer: 'head', width: 27 },
    ],
    stores: [0, 1].map((epoch) => ({
      name: `epoch_${epoch}`,
      state: 'complete',
      rows: 20,
      rowsWritten: 20,
      width: 75,
      dtype: 'float16',
      bytes: bytesIn(path.join(run, 'train', `epoch_${epoch}`)),
      problem: null,
    })),
    bytes: { total: bytesIn(run), model: bytesIn(path.join(run, 'model')), records: 0 },
    damaged: [],
  });
  for (const { verified } of found.stores) expect(verified).toHaveLength(4);

  const { stdout } = runBergson(['info', run, '--verify']);
  expect(stdout).toContain(`${run} is a complete run of 2 finished epochs over 20`);
  expect(stdout).toMatch(/hidden │ Dense │ \[8, 6\] +│ +48 │ +0 │/);
  expect(stdout).toMatch(/head +│ Dense │ \[3, 9\] +│ +27 │ +48 │/);
  expect(stdout).toContain('8 files are as they were written: epoch_0, epoch_1.');
});

it('names the file that is not as it was written, and what can still be used', async () => {
  const { run } = await trainRun(directory, denseCase);
  const file = path.join(run, 'train', 'epoch_1', 'gradients.bin');
  const bytes = fs.readFileSync(file);
  bytes[1000] = (bytes[1000] ?? 0) ^ 1;
  fs.writeFileSync(file, bytes);
  expect(info(run).code).toBe(0); // a byte among many is found by its checksum alone
  const { code, found } = info(run, '--verify');
  expect(code).toBe(1);
  expect(found.stores.map(({ problem }) => problem)).toEqual([null, expect.stringContaining(file)]);
  expect(runBergson(['info', run, '--verify']).stdout).toMatch(
    /is damaged: expected sha256.*epoch_0 can be used/,
  );

  fs.truncateSync(file, 10);
  const cut = info(run);
  expect(cut.code).toBe(1);
  expect(cut.found.stores[1]).toMatchObject({
    state: null,
    problem: expect.stringContaining(file) as string,
  });
});

it('exports and imports from the command line, but over nothing', async () => {
  const { run } = await trainRun(directory, denseCase);
  const out = path.join(directory, 'rows.npy');
  const exported = runBergson(['export', run, out, '--json']);
  expect(JSON.parse(exported.stdout)).toEqual({ path: out, what: 'rows', format: 'npy', rows: 20 });
  const again = runBergson(['export', run, out]);
  expect(again.stderr).toMatch(/rows\.npy exists already/);
  expect(again.code).toBe(1);

  const index = path.join(__dirname, '..', 'reference', 'gpt2', 'index_raw_p8');
  const imported = path.join(directory, 'imported');
  expect(runBergson(['import', index, imported]).stdout).toContain('over 6 examples');
  expect(runBergson(['query', imported, '--example', '0', '-k', '2']).stdout).toMatch(/│ +0 │ +\+6432/);
  const asked = path.join(directory, 'asked.jsonl');
  fs.writeFileSync(asked, '{"x": [1], "y": [1]}');
  expect(runBergson(['query', imported, '--input', asked]).stderr).toMatch(
    /was imported from .*index_raw_p8/,
  );
});
