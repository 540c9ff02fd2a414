import fc from 'fast-check';
import { toPieces } from '../../lib/datasets/pieces';

const ids = (tokens: number): Int32Array => Int32Array.from({ length: tokens }, (_, i) => i + 10);

it('leaves a document that fits the context as it is', () => {
  const { pieces, truncated } = toPieces(ids(4), ids(4), { contextLength: 4, longDocuments: 'truncate' });
  expect(truncated).toBe(false);
  expect(pieces.map(({ inputIds }) => [...inputIds])).toEqual([[10, 11, 12, 13]]);
});

it('truncates to the context and says so', () => {
  const { pieces, truncated } = toPieces(ids(5), ids(5), { contextLength: 4, longDocuments: 'truncate' });
  expect(truncated).toBe(true);
  expect(pieces.map(({ inputIds }) => [...inputIds])).toEqual([[10, 11, 12, 13]]);
});

it('keeps closing tokens when it truncates', () => {
  const [piece] = toPieces(ids(9), ids(9), { contextLength: 4, longDocuments: 'truncate' }, 2).pieces;
  expect([...(piece?.inputIds ?? [])]).toEqual([10, 11, 17, 18]);
  expect([...(piece?.labels ?? [])]).toEqual([10, 11, 17, 18]);
});

it('cuts chunks whose concatenation is the document', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.integer({ min: 2, max: 50 }), (tokens, contextLength) => {
      const labels = ids(tokens).map((id) => (id % 3 === 0 ? -100 : id));
      const { pieces, truncated } = toPieces(ids(tokens), labels, { contextLength, longDocuments: 'chunk' });
      expect(truncated).toBe(false);
      expect(pieces.flatMap(({ inputIds }) => [...inputIds])).toEqual([...ids(tokens)]);
      expect(pieces.flatMap((piece) => [...piece.labels])).toEqual([...labels]);
      let offset = 0;
      for (const piece of pieces) {
        expect(piece.tokenOffset).toBe(offset);
        expect(piece.inputIds.length).toBeLessThanOrEqual(contextLength);
        offset += piece.inputIds.length;
      }
      // All but the last are full.
      for (const piece of pieces.slice(0, -1)) expect(piece.inputIds).toHaveLength(contextLength);
    }),
  );
});
