/** The thread that tokenizes ahead of the model. */
import { parentPort, type Transferable } from 'node:worker_threads';
import { TokenizerError } from '../errors';
import type { Document, Fitting, TokenizedDocument } from './document';
import { openTokenizer, type Tokenizer } from './tokenizer';

/** What the main thread asks for. `open` comes first; each has one answer, in order. */
export type TokenizerRequest =
  | { readonly op: 'open'; readonly location: string; readonly fitting: Fitting }
  | { readonly op: 'tokenize'; readonly documents: readonly Document[] };

/** `open` is answered with no documents. */
export type TokenizerAnswer =
  { readonly documents: readonly TokenizedDocument[] } | { readonly path: string; readonly reason: string };

let tokenizer: Tokenizer | undefined;
let last: Promise<void> = Promise.resolve();

async function answer(request: TokenizerRequest): Promise<readonly TokenizedDocument[]> {
  if (request.op === 'tokenize') return (await tokenizer?.tokenize(request.documents)) ?? [];
  tokenizer = openTokenizer(request.location, request.fitting);
  return [];
}

parentPort?.on('message', (request: TokenizerRequest) => {
  last = last.then(async () => {
    try {
      const documents = await answer(request);
      const transferred = documents.flatMap(({ pieces }) =>
        pieces.flatMap(({ inputIds, labels }) => [inputIds.buffer, labels.buffer]),
      ) as Transferable[];
      parentPort?.postMessage({ documents } satisfies TokenizerAnswer, transferred);
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
