/** A program on a pseudo-terminal, typed to and read from as a person would. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { TYPESCRIPT } from './child-process';

/** Whether this machine has util-linux's `script`, which makes pseudo-terminals. */
export function hasTerminals(): boolean {
  const { stdout, error } = spawnSync('script', ['--version'], { encoding: 'utf8' });
  return error === undefined && stdout.includes('util-linux');
}

const LONGEST_WAIT = 30_000;

export class Terminal {
  /** All that was printed, without escape sequences. */
  output = '';
  private looked = 0;
  private readonly child: ChildProcess;
  private readonly ended: Promise<number | null>;

  /** Starts a TypeScript file with `args` on a terminal of 120 columns; `env` is added to the environment. */
  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const words = [process.execPath, '--require', TYPESCRIPT, file, ...args];
    const command = `stty cols 120; exec ${words.map((word) => `'${word}'`).join(' ')}`;
    this.child = spawn('script', ['-qefc', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm-256color', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.output += stripVTControlCharacters(chunk.toString()).replaceAll('\r', '');
    });
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
  }

  /** Types `keys`, then waits for `text` after all that was waited for before; returns what came up to its end. */
  async type(keys: string, text: string | RegExp): Promise<string> {
    this.child.stdin?.write(keys);
    return this.wait(text);
  }

  /** Waits for `text`; returns what came since the last wait, up to its end. */
  async wait(text: string | RegExp): Promise<string> {
    const pattern = typeof text === 'string' ? new RegExp(text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&')) : text;
    for (const start = Date.now(); ;) {
      const rest = this.output.slice(this.looked);
      const found = pattern.exec(rest);
      if (found !== null) {
        const end = found.index + found[0].length;
        this.looked += end;
        return rest.slice(0, end);
      }
      if (Date.now() - start > LONGEST_WAIT)
        throw new Error(`${String(text)} did not come; this did:\n${rest}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The program's exit code, once it ended. */
  exit(): Promise<number | null> {
    return this.ended;
  }

  /** Ends what is left. */
  kill(): void {
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
  }
}
