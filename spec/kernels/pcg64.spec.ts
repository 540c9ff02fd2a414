/** Known answers of numpy 2: `PCG64(seed).state`, and the first bytes of its generator. */
import { drawBergsonMatrix } from '../../kernels/bergson-matrix';
import { Pcg64 } from '../../kernels/pcg64';

it.each([
  {
    name: 'h.0.attn.c_attn/left',
    seed: 3820603906084767201n,
    state: 108176077630195036203345225721857260101n,
    increment: 138183978665528054672059962216082435571n,
    bytes: [89, 166, 195, 105, 57, 75, 204, 2, 205, 142, 192, 80, 25, 234, 217, 133],
  },
  {
    name: 'h.0.attn.c_proj/right',
    seed: 3621217573729342832n,
    state: 135491525937213456013373206600028778375n,
    increment: 271231115606860505877838129780110786561n,
    bytes: [23, 252, 57, 7, 126, 160, 72, 13, 12, 178, 12, 239, 8, 20, 38, 165],
  },
])('gives what numpy does for the seed of $name', ({ name, seed, state, increment, bytes }) => {
  expect(new Pcg64(seed).internals).toEqual({ state, increment });
  expect([...new Pcg64(seed).bytes(16)]).toEqual(bytes);
  expect([...new Pcg64(seed).bytes(11)]).toEqual(bytes.slice(0, 11));
  // Bits row by row, the highest of each byte first: 3 rows of 37 columns, so that rows do not begin with bytes.
  const [rows, columns] = [3, 37];
  const drawn = drawBergsonMatrix({ type: 'bergson', name }, rows, columns);
  const bits = bytes.flatMap((byte) => Array.from({ length: 8 }, (_, i) => (byte >> (7 - i)) & 1));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const sign = bits[row * columns + column] === 1 ? 1 : -1;
      expect(drawn[column * rows + row]).toBeCloseTo(sign / Math.sqrt(rows), 6);
    }
  }
});
