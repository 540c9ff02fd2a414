/** Runs the command line and other scripts from their sources, each in a process of its own. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bergson` with `args`; `env` is added to the environment. */
export function runBergson(args: readonly string[], env: NodeJS.ProcessEnv = {}): Finished {
  return runScript('bergson.ts', args, env);
}

/** Runs a file of scripts/ with `args`; `env` is added to the environment. */
export function runScript(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Finished {
  const hook = join(ROOT, 'spec', 'support', 'typescript-hook.cjs');
  const script = join(ROOT, 'scripts', name);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', hook, script, ...args], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}
