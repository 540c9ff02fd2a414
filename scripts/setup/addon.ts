/** Compiles Node addons, so that whoever looks sees either no addon or a whole one. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { SetupError } from './errors';
import { lastWords, runCommand } from './child-process';

export interface AddonSources {
  readonly compiler: string;
  readonly sources: readonly string[];
  readonly includes: readonly string[];
  readonly flags: readonly string[];
  /** Libraries and where they are, after the sources on the command line. */
  readonly link?: readonly string[];
  readonly output: string;
}

/**
 * Compiles and links `sources` to the addon `output`.
 *
 * @throws SetupError with the compiler's last words.
 */
export async function compileAddon(addon: AddonSources): Promise<void> {
  mkdirSync(dirname(addon.output), { recursive: true });
  // A killed or concurrent build must not leave half an addon: build aside, then rename.
  const partial = `${addon.output}.${process.pid}`;
  const shared = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'];
  const result = await runCommand(addon.compiler, [
    ...['-std=c++17', '-fPIC', '-DNAPI_VERSION=8', ...shared, ...addon.flags],
    ...addon.includes.map((directory) => `-I${directory}`),
    ...[...addon.sources, '-o', partial, ...(addon.link ?? [])],
  ]);
  if (result.code !== 0) {
    rmSync(partial, { force: true });
    throw new SetupError(`compile ${addon.output}`, `${addon.compiler} says\n${lastWords(result, 20)}`);
  }
  renameSync(partial, addon.output);
}
