/**
 * `npm run mutate:cuda`: breaks the CUDA kernels in one place at a time and says which breakages the comparison with
 * plain operations finds, under the emulator of the specs. Each runs in a process of its own. For whoever changes a kernel;
 * `npm run mutate:cuda -- barrier` takes only breakages of that kind, or of that file.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { runCommand } from './setup/child-process';
import { mutants, type Mutant, SOURCES } from './mutate/mutants';

/** Milliseconds; a mutant that takes longer never ends. */
const TIMEOUT = 120_000;

const FATES = ['found', 'not compiled', 'survived'] as const;
type Fate = (typeof FATES)[number];

async function main(): Promise<void> {
  const only = process.argv[2] ?? '';
  const waiting = mutants().filter(({ kind, file }) => `${kind} ${file}`.includes(only));
  const counts = new Map(waiting.map(({ kind }) => [kind, new Map<Fate, number>()]));
  const work = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const fate = await fateOf(mutant);
      const fates = counts.get(mutant.kind);
      fates?.set(fate, (fates.get(fate) ?? 0) + 1);
      if (fate === 'survived')
        console.log(`survived: ${mutant.file}:${mutant.line} ${mutant.kind}\n  ${mutant.change}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const table = new Table({ head: ['breakage', ...FATES] });
  table.push(...[...counts].map(([kind, fates]) => [kind, ...FATES.map((fate) => fates.get(fate) ?? 0)]));
  console.log(table.toString());
  if ([...counts.values()].some((fates) => fates.has('survived'))) process.exitCode = 1;
}

async function fateOf(mutant: Mutant): Promise<Fate> {
  const directory = mkdtempSync(join(tmpdir(), 'bergson-mutant-'));
  try {
    cpSync(SOURCES, directory, { recursive: true });
    writeFileSync(join(directory, mutant.file), mutant.text);
    const compare = [join(__dirname, 'mutate', 'compare.js'), directory];
    const { code, stderr } = await runCommand(process.execPath, compare, { timeout: TIMEOUT });
    if (code === 0) return 'survived';
    return stderr.includes('the kernels do not compile') ? 'not compiled' : 'found';
  } finally {
    rmSync(directory, { recursive: true });
  }
}

void main();
