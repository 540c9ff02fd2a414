import { crop, drawPicture, shrink, toPicture } from '../../../scripts/terminal/picture';

const checks = { width: 4, height: 2, pixels: [0, 1, 0, 1, 1, 1, 0, 0] };

it('draws two rows of pixels in a line of half blocks', () => {
  expect(drawPicture(checks, false)).toEqual([{ text: '▄█ ▀', width: 4 }]);
});

it('draws greys above and below where there are colours', () => {
  const [line] = drawPicture({ width: 1, height: 2, pixels: [1, 0] }, true);
  expect(line).toEqual({ text: '\u001b[38;5;255;48;5;232m▀\u001b[0m', width: 1 });
});

it('leaves the half below an odd last row black', () => {
  expect(drawPicture({ width: 1, height: 3, pixels: [1, 1, 1] }, false).map(({ text }) => text)).toEqual([
    '█',
    '▀',
  ]);
});

it('shrinks to the means of squares, and crops borders', () => {
  expect(shrink(checks, 2)).toEqual({ width: 2, height: 1, pixels: [0.75, 0.25] });
  const framed = { width: 3, height: 3, pixels: [9, 9, 9, 9, 5, 9, 9, 9, 9] };
  expect(crop(framed, 1)).toEqual({ width: 1, height: 1, pixels: [5] });
});

it.each([
  {
    what: 'rows of numbers',
    value: [
      [0, 1, 0, 1],
      [1, 1, 0, 0],
    ],
    picture: checks,
  },
  { what: 'a picture as it is', value: checks, picture: checks },
  { what: 'ragged rows', value: [[0, 1], [0]], picture: undefined },
  { what: 'too few pixels', value: { ...checks, pixels: [1] }, picture: undefined },
  { what: 'no rows', value: [], picture: undefined },
  { what: 'a path', value: 'digit.png', picture: undefined },
  { what: 'nothing', value: undefined, picture: undefined },
])('takes $what for a picture or not', ({ value, picture }) => {
  expect(toPicture(value)).toEqual(picture);
});
