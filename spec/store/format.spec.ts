import { InvalidLayoutError } from '../../lib/errors';
import {
  columnOffsets,
  encodeInfo,
  layerOfColumn,
  parseInfo,
  rowBytes,
  type StoreLayout,
} from '../../lib/store/format';

const layout: StoreLayout = {
  rows: 6,
  dtype: 'float16',
  columns: [
    { layer: 'h.1.attn', width: 64 },
    { layer: '10', width: 2 },
    { layer: '2', width: 3 },
    { layer: 'quo"te}', width: 1 },
    { layer: '__proto__', width: 5 },
  ],
};

test('keeps the order of layers whose names look like numbers', () => {
  expect(parseInfo(encodeInfo(layout), 'info.json')).toEqual(layout);
});

test('writes the keys Bergson reads', () => {
  const info = JSON.parse(encodeInfo({ ...layout, columns: [{ layer: 'a', width: 4 }] })) as object;
  expect(info).toEqual({
    attribute_tokens: false,
    num_items: 6,
    num_grads: 6,
    grad_sizes: { a: 4 },
    base_dtype: 'float16',
  });
});

test('places columns side by side', () => {
  expect(columnOffsets(layout)).toEqual([0, 64, 66, 69, 70, 75]);
  expect(rowBytes(layout)).toBe(150);
  expect([0, 63, 64, 65, 66, 74, 75].map((column) => layerOfColumn(layout, column))).toEqual([
    'h.1.attn',
    'h.1.attn',
    '10',
    '10',
    '2',
    '__proto__',
    'column 75',
  ]);
});

const valid = {
  attribute_tokens: false,
  num_items: 1,
  num_grads: 1,
  grad_sizes: { a: 1 },
  base_dtype: 'float32',
};
test.each([
  ['no JSON', '{'],
  [
    'a row a token, of no number of examples',
    JSON.stringify({ ...valid, attribute_tokens: true, num_items: -1 }),
  ],
  ['a fractional row count', JSON.stringify({ ...valid, num_grads: 1.5 })],
  ['a missing row count', JSON.stringify({ ...valid, num_grads: undefined })],
  ['a dtype of unknown size', JSON.stringify({ ...valid, base_dtype: 'bfloat16' })],
  ['no layers', JSON.stringify({ ...valid, grad_sizes: {} })],
  ['a width of zero', JSON.stringify({ ...valid, grad_sizes: { a: 0 } })],
  [
    'a layer twice',
    encodeInfo({
      ...layout,
      columns: [
        { layer: 'a', width: 1 },
        { layer: 'a', width: 1 },
      ],
    }),
  ],
])('refuses info.json with %s', (_, text) => {
  expect(() => parseInfo(text, 'info.json')).toThrow(InvalidLayoutError);
});
