import fs from 'node:fs';
import path from 'node:path';
import { openTokenizer } from '../../../lib/datasets/tokenizer';
import { trainByteLevelBpe } from '../../../scripts/demo-lm/byte-level-bpe';
import { temporaryDirectory } from '../../support/temporary-directory';

const directory = temporaryDirectory();
const CORPUS = [
  'the miller and the mill and the river, and the rain on the hill',
  'banana bandana, aaaa aaa aa; the thin thing thinks',
  'it’s the miller’s naïve café 🙂 and the 1999 hills',
];

interface TokenizerFile {
  readonly model: {
    readonly vocab: Record<string, number>;
    readonly merges: [string, string][];
  };
}

/** The merges again, all pairs counted from the start each time. Letters of ASCII alone, in words with the space before. */
function countedAnew(words: readonly string[], merges: number): [string, string][] {
  let parts = words.map((word) => Array.from(word.replace(' ', 'Ġ')));
  return Array.from({ length: merges }, () => {
    const counts = new Map<string, number>();
    for (const symbols of parts)
      for (let i = 1; i < symbols.length; i++) {
        const pair = `${symbols[i - 1] ?? ''} ${symbols[i] ?? ''}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    const [most] = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
    const [left = '', right = ''] = (most?.[0] ?? '').split(' ');
    parts = parts.map((symbols) => {
      const merged: string[] = [];
      for (let i = 0; i < symbols.length; i++) {
        const isPair = symbols[i] === left && symbols[i + 1] === right;
        merged.push(isPair ? left + right : (symbols[i] ?? ''));
        if (isPair) i++;
      }
      return merged;
    });
    return [left, right] as [string, string];
  });
}

it('merges the pair that comes most often, as counting anew each time does', () => {
  const [ascii = '', more = ''] = CORPUS;
  const { model } = trainByteLevelBpe([ascii, more], 256 + 20) as unknown as TokenizerFile;
  const words = [ascii, more].flatMap((text) => text.match(/ ?\w+| ?[^\w\s]+/g) ?? []);
  expect(model.merges).toEqual(countedAnew(words, 20));
  expect(Object.keys(model.vocab)).toHaveLength(256 + 20);
});

it('is a tokenizer that keeps every text, and has one token for a word that is often there', async () => {
  const file = path.join(directory, 'tokenizer.json');
  fs.writeFileSync(file, JSON.stringify(trainByteLevelBpe(CORPUS, 400)));
  const tokenizer = openTokenizer(file, {
    contextLength: 200,
    longDocuments: 'truncate',
  });
  const texts = [...CORPUS, 'Другой текст, 日本語, tabs\tand\nlines  \u0000', ' the'];
  const documents = await tokenizer.tokenize(texts.map((text) => ({ text, specialTokens: true })));
  const ids = documents.map(({ pieces }) => pieces[0]?.inputIds ?? new Int32Array());
  expect(await tokenizer.decode(ids)).toEqual(texts);
  expect(ids.at(-1)).toHaveLength(1);
});

it('stops when no pair is left', () => {
  const { model } = trainByteLevelBpe(['ab ab'], 1000) as unknown as TokenizerFile;
  expect(model.merges).toEqual([
    ['a', 'b'],
    ['Ġ', 'ab'],
  ]);
});
