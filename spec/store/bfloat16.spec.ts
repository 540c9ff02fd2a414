import { decodeBfloat16, encodeBfloat16 } from '../../lib/store/bfloat16';

const everyHalf = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
const decoded = new Float32Array(65_536);
decodeBfloat16(everyHalf, decoded);

/** Where two arrays differ first; -1 if nowhere. */
function difference(a: Float32Array | Uint16Array, b: Float32Array | Uint16Array): number {
  return a.length === b.length ? a.findIndex((value, i) => !Object.is(value, b[i])) : NaN;
}

function encode(values: Float32Array): Uint16Array {
  const bits = new Uint16Array(values.length);
  encodeBfloat16(values, bits);
  return bits;
}

test('decodes every bit pattern to the number that its sign, exponent and fraction say', () => {
  const expected = Float32Array.from(everyHalf, (half) => {
    const exponent = (half >>> 7) & 255;
    const fraction = half & 127;
    const sign = half >= 0x8000 ? -1 : 1;
    if (exponent === 255) return fraction === 0 ? sign * Infinity : NaN;
    return exponent === 0 ? sign * fraction * 2 ** -133 : sign * (128 + fraction) * 2 ** (exponent - 134);
  });
  expect(difference(decoded, expected)).toBe(-1);
});

test.each([
  ['one', 1, 0x3f80],
  ['minus two', -2, 0xc000],
  ['minus zero', -0, 0x8000],
  ['pi', Math.PI, 0x4049],
  ['the smallest float32, to zero', 2 ** -149, 0],
  ['the smallest bfloat16', 2 ** -133, 1],
  ['a midpoint below an even neighbor, up', 1 + 3 * 2 ** -8, 0x3f82],
  ['a midpoint above an even neighbor, down', 1 + 2 ** -8, 0x3f80],
  ['just above that midpoint, up', 1 + 2 ** -8 + 2 ** -23, 0x3f81],
  ['what rounds into the next exponent', 2 - 2 ** -23, 0x4000],
  ['the largest', 255 * 2 ** 120, 0x7f7f],
  ['infinity', -Infinity, 0xff80],
  ['what is no number', NaN, 0x7fc0],
])('encodes %s', (_, value, bits) => {
  expect(encode(Float32Array.of(value))).toEqual(Uint16Array.of(bits));
});

test('encodes every bfloat16 back to its own bits', () => {
  const numbers = everyHalf.filter((_, i) => !Number.isNaN(decoded[i]));
  expect(difference(encode(decoded.filter((value) => !Number.isNaN(value))), numbers)).toBe(-1);
});

test('rounds to the nearer neighbor at, below and above every midpoint, and a tie to the even one', () => {
  const lower = everyHalf.filter((half) => (half & 0x7fff) < 0x7f7f); // their next bit pattern is finite too
  for (const step of [-1, 0, 1]) {
    const values = new Float32Array(Uint32Array.from(lower, (half) => half * 65_536 + 0x8000 + step).buffer);
    const nearest = lower.map((half, i) => {
      const [value = NaN, down = NaN, up = NaN] = [values[i], decoded[half], decoded[half + 1]];
      const further = Math.abs(value - down) - Math.abs(up - value); // exact in double precision
      return further > 0 || (further === 0 && half % 2 === 1) ? half + 1 : half;
    });
    expect(difference(encode(values), nearest)).toBe(-1);
  }
});

test('names the first finite value that overflows, and no infinity or NaN', () => {
  const out = new Uint16Array(4);
  const [most, least] = new Float32Array(Uint32Array.of(0x7f7fffff, 0xff7f8000).buffer);
  expect(encodeBfloat16(Float32Array.of(1, Infinity, most ?? 0, least ?? 0), out)).toBe(2);
  expect(out).toEqual(Uint16Array.of(0x3f80, 0x7f80, 0x7f80, 0xff80));
  expect(encodeBfloat16(Float32Array.of(-Infinity, NaN, 3.3e38, -3.3e38), out)).toBe(-1);
});
