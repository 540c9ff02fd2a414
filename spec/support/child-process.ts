/** Processes that specs start, listen to, and kill. */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';

/** `node --require` this to run TypeScript. */
export const TYPESCRIPT = path.join(__dirname, 'typescript-hook.cjs');

/** Starts a TypeScript file in a process of its own. */
export function startChild(file: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, ['-r', TYPESCRIPT, file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Starts `bergson` from its sources, with both its outputs to be listened to. */
export function startBergson(...args: string[]): ChildProcess {
  const script = path.join(__dirname, '..', '..', 'scripts', 'bergson.ts');
  return spawn(process.execPath, ['-r', TYPESCRIPT, script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Kills `child` with SIGKILL; resolves when it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Resolves once `child` has printed `text`. */
export function printed(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(text)) resolve();
    });
    child.once('exit', (code) => {
      reject(new Error(`the child ended with ${code ?? 'a signal'} before it printed ${text}`));
    });
  });
}
