/** Cuts token ids to rows that fit the context. */
import type { Fitting, Piece, TokenizedDocument } from './document';

/**
 * The rows of a document whose tokens are known: truncated to the context, or cut into chunks that follow on one another.
 * As in Python's library, truncation keeps the `closing` tokens, special ones that the tokenizer added at the end.
 *
 * @param inputIds [tokens], labels [tokens].
 */
export function toPieces(
  inputIds: Int32Array,
  labels: Int32Array,
  { contextLength, longDocuments }: Fitting,
  closing = 0,
): TokenizedDocument {
  const cut = (tokenOffset: number, end: number): Piece => ({
    inputIds: inputIds.slice(tokenOffset, end),
    labels: labels.slice(tokenOffset, end),
    tokenOffset,
  });
  const tokens = inputIds.length;
  if (tokens <= contextLength) return { pieces: [cut(0, tokens)], truncated: false };
  if (longDocuments === 'truncate') {
    const kept = cut(0, contextLength);
    kept.inputIds.set(inputIds.subarray(tokens - closing), contextLength - closing);
    kept.labels.set(labels.subarray(tokens - closing), contextLength - closing);
    return { pieces: [kept], truncated: true };
  }
  const starts = Array.from({ length: Math.ceil(tokens / contextLength) }, (_, i) => i * contextLength);
  return { pieces: starts.map((start) => cut(start, start + contextLength)), truncated: false };
}
