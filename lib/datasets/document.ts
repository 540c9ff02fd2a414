/** What is tokenized: a text and which part of it the model is to learn. */

/** A range [start, end) of UTF-16 code units, as JavaScript slices strings. */
export type TextRange = readonly [start: number, end: number];

/** A text before it is tokenized. */
export interface Document {
  readonly text: string;
  /** The loss counts tokens that hold some of these ranges; without them every token. */
  readonly lossRanges?: readonly TextRange[];
  /** Whether the tokenizer adds its own special tokens. A chat template has put them into the text already. */
  readonly specialTokens: boolean;
}

/** What becomes of documents longer than the context. */
export interface Fitting {
  /** Tokens the model takes at most. */
  readonly contextLength: number;
  /** Cut off what is too long, or go on in a row of its own. */
  readonly longDocuments: 'truncate' | 'chunk';
}

/** Tokens that make one row. */
export interface Piece {
  readonly inputIds: Int32Array;
  /** [inputIds.length]: the token itself where the loss counts it, else `NO_LOSS`. */
  readonly labels: Int32Array;
  /** Where in its document's tokens the piece begins. */
  readonly tokenOffset: number;
  /** The part of the document's text that the piece's tokens hold; absent where that is all of it. */
  readonly textRange?: TextRange;
  /** What the tokens say, where there was no text before them. */
  readonly text?: string;
}

/** A document's rows: one, or if it was longer than the context and not truncated, several. */
export interface TokenizedDocument {
  readonly pieces: readonly Piece[];
  readonly truncated: boolean;
}

/** The label of a token whose loss does not count. */
export const NO_LOSS = -100;
