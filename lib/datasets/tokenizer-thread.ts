/** Talks to the thread of tokenizer-worker.ts. */
import path from 'node:path';
import { TokenizerError } from '../errors';
import { startThread } from '../worker-thread';
import type { Document, Fitting, TokenizedDocument } from './document';
import type { Tokenizer } from './tokenizer';
import type { TokenizerAnswer, TokenizerRequest } from './tokenizer-worker';

interface Pending {
  readonly resolve: (answer: TokenizerAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** A tokenizer in a thread of its own, which keeps the process alive only while it owes an answer. */
export class TokenizerThread implements Tokenizer {
  private readonly worker = startThread(path.join(__dirname, 'tokenizer-worker'));
  private readonly pending: Pending[] = [];
  private ended = false;

  private constructor(private readonly location: string) {
    this.worker.unref();
    this.worker.on('message', (answer: TokenizerAnswer) => {
      this.settle(answer);
    });
    this.worker.on('error', (cause) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.failAll(new TokenizerError(location, `its thread failed (${reason})`, { cause }));
    });
    this.worker.on('exit', () => {
      this.ended = true;
      this.failAll(new TokenizerError(location, 'its thread ended before it answered'));
    });
  }

  /** Starts the thread and loads the tokenizer there. @throws TokenizerError */
  static async open(location: string, fitting: Fitting): Promise<TokenizerThread> {
    const thread = new TokenizerThread(location);
    try {
      await thread.ask({ op: 'open', location, fitting });
    } catch (error) {
      await thread.close();
      throw error;
    }
    return thread;
  }

  /** Answers come in the order of the questions. @throws TokenizerError */
  async tokenize(documents: readonly Document[]): Promise<TokenizedDocument[]> {
    const answer = await this.ask({ op: 'tokenize', documents });
    return 'documents' in answer ? [...answer.documents] : [];
  }

  /** @throws TokenizerError */
  async decode(tokens: readonly Int32Array[]): Promise<string[]> {
    const answer = await this.ask({ op: 'decode', tokens });
    return 'texts' in answer ? [...answer.texts] : [];
  }

  /** Ends the thread. What it still owed is rejected. */
  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private ask(request: TokenizerRequest): Promise<TokenizerAnswer> {
    if (this.ended) return Promise.reject(new TokenizerError(this.location, 'it was closed'));
    return new Promise((resolve, reject) => {
      this.pending.push({ resolve, reject });
      this.worker.ref();
      this.worker.postMessage(request);
    });
  }

  private settle(answer: TokenizerAnswer): void {
    const question = this.pending.shift();
    if (this.pending.length === 0) this.worker.unref();
    if ('reason' in answer) question?.reject(new TokenizerError(answer.path || this.location, answer.reason));
    else question?.resolve(answer);
  }

  private failAll(error: Error): void {
    for (const { reject } of this.pending.splice(0)) reject(error);
  }
}
