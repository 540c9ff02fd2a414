import fs from 'node:fs';
import path from 'node:path';
import { writeJsonl } from '../datasets/support';
import { ROWS, writeModel } from '../build/support';
import { runBergson } from '../support/run-bergson';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const model = writeModel(directory);
const dataset = writeJsonl(directory, 'texts.jsonl', ROWS);
const gradients = (run: string) => fs.readFileSync(path.join(run, 'train', 'static', 'gradients.bin'));

it('builds without the word, and again from the configuration that the run keeps', () => {
  const [first, second] = [path.join(directory, 'first'), path.join(directory, 'second')];
  const options = ['--text-column=text', '--projection-dim', '4', '--modules', 'h.0.**', '--no-index'];
  const built = runBergson([first, '--model', model, '--dataset', dataset, ...options]);
  expect(built.stderr).toBe('');
  expect(built.code).toBe(0);
  expect(built.stdout).toMatch(
    /is a complete run of one frozen model over 6 examples: 5 rows, of 6\s+layers/,
  );
  expect(built.stdout).toContain('1 document was cut off after 64 tokens.');
  expect(built.stdout).toContain('1 row of the data set has no gradient: no tokens (row 2).');
  const again = runBergson(['build', second, '--config', path.join(first, 'config.yaml'), '--json']);
  expect(again.code).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ run: second, computed: 5, found: 0, failed: [] });
  expect(gradients(second).equals(gradients(first))).toBe(true);
});

it('says what is missing', () => {
  const { code, stderr } = runBergson(['build', path.join(directory, 'none'), '--model', model]);
  expect(code).toBe(2);
  expect(stderr).toContain('Give dataset, or --config with a file that does.');
});
