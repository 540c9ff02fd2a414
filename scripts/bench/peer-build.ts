/** Bergson itself, in a Python process that collects whenever it is asked to. */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';

export interface PeerTask {
  /** The model's folder. */
  readonly model: string;
  readonly texts: readonly Int32Array[];
  /** Texts to a batch. */
  readonly batch: number;
  readonly projectionDim: number;
}

export class PeerBuild {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string, undefined>,
  ) {}

  /** Starts `python`, which has Bergson and its dependencies. */
  static async start(python: string, { model, texts, batch, projectionDim }: PeerTask): Promise<PeerBuild> {
    const script = path.join(__dirname, '..', '..', '..', 'scripts', 'bench', 'peer-build.py');
    const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'ignore'] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const peer = new PeerBuild(child, lines);
    const task = { model, texts: texts.map((text) => [...text]), batch, projectionDim };
    await peer.ask(JSON.stringify(task));
    return peer;
  }

  /** The seconds that collecting the gradients of all texts took. */
  async pass(): Promise<number> {
    return Number(await this.ask('pass'));
  }

  stop(): void {
    this.child.stdin?.end();
  }

  private async ask(line: string): Promise<string> {
    this.child.stdin?.write(`${line}\n`);
    const next: IteratorResult<string, undefined> = await this.lines.next();
    if (next.done === true)
      throw new Error('the peer ended; see that its Python has bergson, torch and transformers');
    return next.value;
  }
}
