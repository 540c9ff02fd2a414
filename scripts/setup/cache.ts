/** The per-user directory that keeps what was downloaded, outside any project: TensorFlow's native libraries, the demo's texts. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const base =
    env.XDG_CACHE_HOME ??
    (process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache'));
  return join(base, 'tfjs-bergson');
}

/**
 * The directory `name` in the cache, made by `fill` if not there yet. `fill` works in a directory of its own that
 * is renamed into place at its end, so that neither a killed set-up nor a concurrent one leaves half a directory.
 */
export async function cached(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const root = cacheDirectory();
  const directory = join(root, name);
  if (existsSync(directory)) return directory;
  mkdirSync(root, { recursive: true });
  removeAbandoned(root);
  const partial = `${directory}.partial-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial);
  try {
    await fill(partial);
    renameSync(partial, directory);
  } catch (error) {
    // Another set-up may have come first; its result is as good.
    if (!existsSync(directory)) throw error;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return directory;
}

/** Removes what killed set-ups left behind. */
function removeAbandoned(root: string): void {
  for (const name of readdirSync(root)) {
    const owner = /\.partial-(\d+)$/.exec(name)?.[1];
    if (owner !== undefined && !isRunning(Number(owner))) {
      rmSync(join(root, name), { recursive: true, force: true });
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
