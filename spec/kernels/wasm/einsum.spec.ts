import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { useWasm, values } from './against-cpu';

useWasm();

const LABELS = ['a', 'b', 'c', 'd', 'e'];

/** Equations of one or two operands over up to five labels, each label one size everywhere. */
const equations = fc
  .record({
    left: fc.subarray(LABELS, { minLength: 1, maxLength: 4 }).chain(shuffled),
    right: fc.option(fc.subarray(LABELS, { minLength: 1, maxLength: 4 }).chain(shuffled)),
    sizes: fc.tuple(...LABELS.map(() => fc.integer({ min: 1, max: 4 }))),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .chain(({ left, right, sizes, seed }) =>
    fc
      .subarray([...new Set([...left, ...(right ?? [])])])
      .chain(shuffled)
      .map((output) => ({ operands: right === null ? [left] : [left, right], output, sizes, seed })),
  );

function shuffled(labels: string[]): fc.Arbitrary<string[]> {
  return fc.shuffledSubarray(labels, { minLength: labels.length });
}

/** The contraction by its definition: one term for every assignment of positions to labels. */
function bruteForce(operands: string[][], output: string[], sizes: number[], data: Float32Array[]): number[] {
  const used = LABELS.filter((label) => operands.flat().includes(label));
  const sizeOf = (label: string) => sizes[LABELS.indexOf(label)]!;
  const total = (labels: string[]) => labels.reduce((product, label) => product * sizeOf(label), 1);
  const result = new Array<number>(total(output)).fill(0);
  for (let assignment = 0; assignment < total(used); assignment++) {
    const position = new Map<string, number>();
    let rest = assignment;
    for (const label of used) {
      position.set(label, rest % sizeOf(label));
      rest = Math.floor(rest / sizeOf(label));
    }
    const offset = (labels: string[]) =>
      labels.reduce((sum, label) => sum * sizeOf(label) + position.get(label)!, 0);
    result[offset(output)]! += operands.reduce((term, labels, i) => term * data[i]![offset(labels)]!, 1);
  }
  return result;
}

// The cpu backend drops an operand that shares no label with the other, so it is no oracle here.
describe('Einsum on wasm', () => {
  it('contracts one or two operands by any equation', async () => {
    await fc.assert(
      fc.asyncProperty(equations, async ({ operands, output, sizes, seed }) => {
        const sizeOf = (label: string) => sizes[LABELS.indexOf(label)]!;
        const shapes = operands.map((labels) => labels.map(sizeOf));
        const data = shapes.map((shape, index) => values(shape, seed + index));
        const equation = `${operands.map((labels) => labels.join('')).join(',')}->${output.join('')}`;
        const tensors = tf.memory().numTensors;
        const result = tf.tidy(() =>
          tf.einsum(equation, ...data.map((d, index) => tf.tensor(d, shapes[index]))),
        );
        expect(tf.memory().numTensors).toBe(tensors + 1);
        expect(result.shape).toEqual(output.map(sizeOf));
        const actual = await result.data<'float32'>();
        result.dispose();
        const expected = bruteForce(operands, output, sizes, data);
        // Up to 4^5 terms of size up to 9, added in float32.
        actual.forEach((value, index) => {
          expect(Math.abs(value - expected[index]!)).toBeLessThan(1e-3);
        });
      }),
      { numRuns: 200 },
    );
  });
});
