/** A process that searches on demand: this package's or a peer's. */
import { spawn, type ChildProcess } from 'node:child_process';
import readline from 'node:readline';

/** What a search took, and found at the upper end. */
export interface Answer {
  readonly ms: number;
  readonly examples: readonly (readonly number[])[];
  readonly scores: readonly (readonly number[])[];
  readonly peakMegabytes: number;
}

export class Contender {
  private constructor(
    readonly name: string,
    /** Milliseconds until it could be asked. */
    readonly loaded: number,
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
  ) {}

  /** Starts `command` and waits until it is loaded. @throws Error when it ends before */
  static async start(name: string, [command = '', ...args]: readonly string[]): Promise<Contender> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { loaded } = await read<{ loaded: number }>(name, lines);
    return new Contender(name, loaded, child, lines);
  }

  /** Searches for the first `queries` queries. */
  ask(queries: number): Promise<Answer> {
    this.child.stdin?.write(`${queries}\n`);
    return read<Answer>(this.name, this.lines);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end();
    await ended;
  }
}

async function read<Message>(name: string, lines: AsyncIterator<string>): Promise<Message> {
  const line = await lines.next();
  if (line.done === true) throw new Error(`${name} ended before it answered`);
  return JSON.parse(line.value) as Message;
}
