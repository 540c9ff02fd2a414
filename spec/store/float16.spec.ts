import { Float16Array, setFloat16 } from '@petamoriken/float16';
import { decodeFloat16, encodeFloat16 } from '../../lib/store/float16';
import { sameBits } from '../support/closeness';

const everyHalf = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
const decoded = new Float32Array(65_536);
decodeFloat16(everyHalf, decoded);

/** What the reference package encodes `values` as, NaN as the one quiet NaN. */
function expectedBits(values: Float32Array): Uint16Array {
  const view = new DataView(new ArrayBuffer(2));
  return Uint16Array.from(values, (value) => {
    setFloat16(view, 0, value, true);
    return view.getUint16(0, true);
  });
}

function encode(values: Float32Array): Uint16Array {
  const bits = new Uint16Array(values.length);
  encodeFloat16(values, bits);
  return bits;
}

test('decodes every bit pattern like the reference package', () => {
  const reference = Float32Array.from(new Float16Array(everyHalf.buffer.slice(0)) as Iterable<number>);
  expect(decoded).toEqual(reference);
});

test('encodes every float16 back to its own bits', () => {
  const numbers = everyHalf.filter((_, i) => !Number.isNaN(decoded[i]));
  expect(encode(decoded.filter((value) => !Number.isNaN(value)))).toEqual(numbers);
});

test('rounds like the reference at, just below and just above every midpoint of two neighbors', () => {
  const finite = [...decoded].filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  const midpoints = Float32Array.from(finite.slice(1), (value, i) => (value + (finite[i] ?? 0)) / 2);
  const words = new Int32Array(midpoints.buffer);
  for (const step of [-1, 0, 1]) {
    const shifted = new Float32Array(words.map((word) => word + step).buffer);
    const numbers = shifted.filter((value) => !Number.isNaN(value));
    expect(sameBits(encode(numbers), expectedBits(numbers))).toBe(true);
  }
});

test('encodes float32 of every exponent and a spread of fractions like the reference', () => {
  const words = new Uint32Array(512 * 1000);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i, 0x9e3779b1) >>> 0;
  const values = new Float32Array(words.buffer).filter((value) => !Number.isNaN(value));
  expect(sameBits(encode(values), expectedBits(values))).toBe(true);
});

test('names the first finite value that overflows, and no infinity or NaN', () => {
  const out = new Uint16Array(4);
  expect(encodeFloat16(Float32Array.of(1, Infinity, 65_519, 65_520), out)).toBe(3);
  expect(out[3]).toBe(0x7c00);
  expect(encodeFloat16(Float32Array.of(-Infinity, NaN, 65_504, -65_504), out)).toBe(-1);
  expect(Number.isNaN(decoded[out[1] ?? 0])).toBe(true);
});
