/** The thread that tokenizes ahead of the model. */
import { parentPort, type Transferable } from 'node:worker_threads';
import { TokenizerError } from '../errors';
import type { Document, Fitting, TokenizedDocument } from './document';
import { openTokenizer, type Tokenizer } from './tokenizer';

/** What the main thread asks for. `open` comes first; each has one answer, in order. */
export type TokenizerRequest =
  | { readonly op: 'open'; readonly location: string; readonly fitting: Fitting }
  | { readonly op: 'tokenize'; readonly documents: readonly Document[] }
  | { readonly op: 'decode'; readonly tokens: readonly Int32Array[] };

/** `open` is answered with no texts, `tokenize` and `decode` with one result for each of what they were given. */
export type TokenizerAnswer =
  | { readonly documents: readonly TokenizedDocument[] }
  | { readonly texts: readonly string[] }
  | { readonly path: string; readonly reason: string };

let tokenizer: Tokenizer | undefined;
let last: Promise<void> = Promise.resolve();

async function answer(request: TokenizerRequest): Promise<TokenizerAnswer> {
  if (request.op === 'open') {
    tokenizer = openTokenizer(request.location, request.fitting);
    return { texts: [] };
  }
  if (tokenizer === undefined) throw new Error('internal: asked before it was opened');
  return request.op === 'tokenize'
    ? { documents: await tokenizer.tokenize(request.documents) }
    : { texts: await tokenizer.decode(request.tokens) };
}

/** Arrays that are handed over rather than copied. */
function arraysOf(answered: TokenizerAnswer): Transferable[] {
  if (!('documents' in answered)) return [];
  const pieces = answered.documents.flatMap((document) => document.pieces);
  return pieces.flatMap(({ inputIds, labels }) => [inputIds.buffer, labels.buffer]) as Transferable[];
}

parentPort?.on('message', (request: TokenizerRequest) => {
  last = last.then(async () => {
    try {
      const answered = await answer(request);
      parentPort?.postMessage(answered, arraysOf(answered));
    } catch (error) {
      const failure =
        error instanceof TokenizerError
          ? error
          : { path: '', reason: error instanceof Error ? error.message : String(error) };
      const { path, reason } = failure;
      parentPort?.postMessage({ path, reason } satisfies TokenizerAnswer);
    }
  });
});
