/** Pythons for specs that compare with its libraries. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * A Python with `packages`, made once per user: its own environment, nothing installed elsewhere. Throws where there is no
 * Python, or no network.
 */
export function pythonWith(name: string, packages: readonly string[]): string {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  const environment = path.join(cache, 'tfjs-bergson', name);
  const python = path.join(environment, 'bin', 'python');
  const ready = path.join(environment, 'ready');
  if (fs.existsSync(ready) && fs.readFileSync(ready, 'utf8') === packages.join(' ')) return python;
  fs.mkdirSync(environment, { recursive: true });
  execFileSync('python3', ['-m', 'venv', '--clear', environment], { stdio: 'ignore' });
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', ...packages], { stdio: 'ignore' });
  fs.writeFileSync(ready, packages.join(' '));
  return python;
}

/** The same, or undefined and a word of why where there is none. */
export function pythonIfAny(name: string, packages: readonly string[]): string | undefined {
  try {
    return pythonWith(name, packages);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    process.stderr.write(`skipped what needs Python with ${packages.join(', ')}: ${reason}\n`);
    return undefined;
  }
}
