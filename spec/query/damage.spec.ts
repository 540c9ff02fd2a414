import fs from 'node:fs';
import path from 'node:path';
import { Attributor, BergsonError, CorruptRecordError, CorruptStoreError } from '../../callbacks';
import { runBergson } from '../support/run-bergson';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { trainRun } from '../support/trained-run';

const directory = temporaryDirectory();
const examples = Array.from({ length: 20 }, (_, i) => ({ text: `example ${i}` }));

/** Flips bits of the byte at `position` of `file`. */
function damage(file: string, position: number): void {
  const bytes = fs.readFileSync(file);
  bytes[position] = (bytes[position] ?? 0) ^ 0xff;
  fs.writeFileSync(file, bytes);
}

describe.each([
  { what: 'training order', file: 'train/training_order.log', position: 40, without: { seen: [] } },
  { what: 'examples’ records', file: 'examples.jsonl', position: 0, without: { record: undefined } },
])('damage to the $what', ({ file, position, without }) => {
  it('is an error that names the file, and what remains can still be asked', async () => {
    const { run } = await trainRun(directory, denseCase, { examples });
    const damaged = path.join(run, file);
    damage(damaged, position);
    const strict = await Attributor.open(run);
    const row = strict.row(0);
    const options = { k: 20 };
    await expect(strict.search([row], options)).rejects.toThrow(CorruptRecordError);
    await expect(strict.search([row], options)).rejects.toThrow(damaged);
    await strict.close();

    const told: BergsonError[] = [];
    const lenient = await Attributor.open(run, { onDamage: (error) => told.push(error) });
    const [trace] = await lenient.search([row], options);
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining(damaged)]);
    expect(trace?.highest).toHaveLength(20);
    for (const hit of trace?.highest ?? []) expect(hit).toMatchObject(without);
    await lenient.close();

    const { code, stdout, stderr } = runBergson(['query', run, '--example', '0']);
    expect(stderr).toMatch(/^left out: /);
    expect(stderr.split(damaged)).toHaveLength(2);
    expect(stdout).toContain('Training example 0');
    expect(code).toBe(0);
  });
});

it('names a store that was cut short, and answers from the others', async () => {
  const { run } = await trainRun(directory, denseCase);
  const file = path.join(run, 'train', 'epoch_1', 'gradients.bin');
  fs.truncateSync(file, 100);
  await expect(Attributor.open(run)).rejects.toThrow(CorruptStoreError);
  await expect(Attributor.open(run)).rejects.toThrow(file);
  const other = await Attributor.open(run, { store: 'epoch_0' });
  const [trace] = await other.search([other.row(3)], { k: 1 });
  expect(trace?.highest[0]?.example).toEqual(expect.any(Number));
  await other.close();
});
