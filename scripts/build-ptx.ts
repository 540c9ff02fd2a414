/**
 * `npm run build:ptx`, for whoever changes a kernel in kernels/cuda/: compiles them to the PTX that is committed beside
 * them, and prints what each takes of a GPU. It needs no GPU and no CUDA but the compilers in two pinned wheels.
 */
import { writeFileSync } from 'node:fs';
import Table from 'cli-table3';
import { ASSEMBLED_FOR, assemble, compile, PTX_FILE } from './ptx/compilers';

async function main(): Promise<void> {
  writeFileSync(PTX_FILE, await compile());
  const table = new Table({ head: ['kernel', ...ASSEMBLED_FOR.flatMap((target) => [target, 'spills'])] });
  const rows = new Map<string, (string | number)[]>();
  for (const target of ASSEMBLED_FOR) {
    for (const { kernel, registers, spilled } of await assemble(target)) {
      rows.set(kernel, [...(rows.get(kernel) ?? [kernel]), `${registers} registers`, `${spilled} bytes`]);
    }
  }
  table.push(...[...rows.values()].sort());
  console.log(table.toString());
}

void main();
