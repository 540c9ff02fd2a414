/** Hugging Face's own tokenizers: the only importer of `tokenizers`. */
import fs from 'node:fs';
import { Tokenizer as Native, type Encoding } from 'tokenizers';
import { TokenizerError } from '../errors';
import type { Document, Fitting, TextRange, TokenizedDocument } from './document';
import { NO_LOSS } from './document';
import { toPieces } from './pieces';
import { tokenizerFile } from './tokenizer-file';

/** A tokenizer that makes rows for one context length. */
export interface Tokenizer {
  /** In order, one for each document. Texts are tokenized side by side, on threads of the library's own. */
  tokenize(documents: readonly Document[]): Promise<TokenizedDocument[]>;

  /** The texts of tokens, special ones included. */
  decode(tokens: readonly Int32Array[]): Promise<string[]>;
}

/**
 * Loads `tokenizer.json`. Its ids are those of Python's library, special tokens included; truncation and padding that the
 * file asks for are not done.
 *
 * @param location the file, or the folder it is in.
 * @throws TokenizerError
 */
export function openTokenizer(location: string, fitting: Fitting): Tokenizer {
  const file = tokenizerFile(location);
  const native = load(file);
  native.disablePadding();
  native.disableTruncation();
  return {
    async tokenize(documents) {
      const results = Array<TokenizedDocument | undefined>(documents.length).fill(undefined);
      for (const addSpecialTokens of [true, false]) {
        const indices = documents.flatMap((document, i) =>
          document.specialTokens === addSpecialTokens ? [i] : [],
        );
        if (indices.length === 0) continue;
        const chosen = indices.map((i) => documents[i] as Document);
        const encodings = await encode(native, file, chosen, addSpecialTokens);
        encodings.forEach((encoding, k) => {
          results[indices[k] ?? 0] = toDocument(chosen[k] as Document, encoding, fitting);
        });
      }
      return results as TokenizedDocument[];
    },

    async decode(tokens) {
      try {
        return await native.decodeBatch(
          tokens.map((ids) => [...ids]),
          false,
        );
      } catch (cause) {
        throw new TokenizerError(file, `it does not decode (${reasonOf(cause)})`, { cause });
      }
    },
  };
}

function load(file: string): Native {
  if (!fs.existsSync(file)) throw new TokenizerError(file, 'there is no such file');
  try {
    return Native.fromFile(file);
  } catch (cause) {
    throw new TokenizerError(file, `it does not load (${reasonOf(cause)})`, { cause });
  }
}

async function encode(
  native: Native,
  file: string,
  documents: readonly Document[],
  addSpecialTokens: boolean,
): Promise<Encoding[]> {
  try {
    return await native.encodeBatch(
      documents.map(({ text }) => text),
      { addSpecialTokens },
    );
  } catch (cause) {
    throw new TokenizerError(file, `it does not take a text (${reasonOf(cause)})`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function toDocument(document: Document, encoding: Encoding, fitting: Fitting): TokenizedDocument {
  const inputIds = Int32Array.from(encoding.getIds());
  const labels = labelsOf(document, encoding, inputIds);
  const closing = inputIds.length > fitting.contextLength ? closingTokens(encoding) : 0;
  const { pieces, truncated } = toPieces(inputIds, labels, fitting, closing);
  if (pieces.length === 1 && !truncated) return { pieces, truncated };
  const units = codeUnits(document.text);
  return {
    truncated,
    pieces: pieces.map((piece) => {
      const next = piece.tokenOffset + piece.inputIds.length - (truncated ? closing : 0);
      const start = piece.tokenOffset === 0 ? 0 : boundary(encoding, piece.tokenOffset, inputIds.length);
      const end = boundary(encoding, next, inputIds.length);
      return { ...piece, textRange: [units(start), units(end)] as TextRange };
    }),
  };
}

/** How many tokens at the end the tokenizer itself added. */
function closingTokens(encoding: Encoding): number {
  return encoding
    .getSpecialTokensMask()
    .reverse()
    .findIndex((special) => special === 0);
}

/** The code point of the text at which token `token` begins, or, past the last token, at which that ends. */
function boundary(encoding: Encoding, token: number, tokens: number): number {
  for (let next = token; next < tokens; next++) {
    const range = encoding.tokenToChars(next); // null for special tokens, which hold no text
    if (range) return range[0];
  }
  for (let last = Math.min(token, tokens) - 1; last >= 0; last--) {
    const range = encoding.tokenToChars(last);
    if (range) return range[1];
  }
  return 0;
}

/** `inputIds` where the loss counts them, else `NO_LOSS`. */
function labelsOf(document: Document, encoding: Encoding, inputIds: Int32Array): Int32Array {
  if (document.lossRanges === undefined) return inputIds.slice();
  const units = codeUnits(document.text);
  const offsets = encoding.getOffsets();
  const special = encoding.getSpecialTokensMask();
  const ranges = document.lossRanges;
  // The tokens the tokenizer itself adds at the end close what comes before them.
  let counted = false;
  return inputIds.map((id, token) => {
    const [start = 0, end = 0] = offsets[token] ?? [];
    if (special[token] !== 1) counted = ranges.some(([from, to]) => units(start) < to && units(end) > from);
    return counted ? id : NO_LOSS;
  });
}

/** From positions in code points, which the library counts in, to UTF-16 code units. */
function codeUnits(text: string): (codePoint: number) => number {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return (codePoint) => codePoint;
  const starts: number[] = [];
  let unit = 0;
  for (const character of text) {
    starts.push(unit);
    unit += character.length;
  }
  return (codePoint) => starts[codePoint] ?? text.length;
}
