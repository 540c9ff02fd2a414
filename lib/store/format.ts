/** The bytes of a gradient store, without any I/O: sizes, offsets and Bergson's `info.json`. */
import { InvalidLayoutError } from '../errors';

export type RowDtype = 'float32' | 'float16';

/** A layer's block of numbers in each row. */
export interface Column {
  readonly layer: string;
  readonly width: number;
}

/** What `gradients.bin` holds: a row-major matrix [rows, sum of widths], columns in order, little-endian. */
export interface StoreLayout {
  readonly rows: number;
  /** Where each token has a row: how many examples they are of. Otherwise a row is an example. */
  readonly examples?: number;
  readonly dtype: RowDtype;
  readonly columns: readonly Column[];
}

/** The names of a store's files. */
export const STORE_FILES = {
  info: 'info.json',
  gradients: 'gradients.bin',
  written: 'written.bin',
  /** Only where some row of float16 has another scale than 1. */
  scales: 'scales.bin',
  norms: 'norms.safetensors',
  /** Only where each token has a row. */
  offsets: 'offsets.npy',
  manifest: 'store.msgpack',
} as const;

/** How much is read or hashed at a time, in bytes. */
export const BLOCK_BYTES = 4 * 1024 * 1024;

/** Numbers in a row. */
export function rowWidth(layout: StoreLayout): number {
  return layout.columns.reduce((sum, { width }) => sum + width, 0);
}

/** Bytes of one stored number. */
function dtypeBytes(dtype: RowDtype): number {
  return dtype === 'float32' ? 4 : 2;
}

/** Bytes of a row. */
export function rowBytes(layout: StoreLayout): number {
  return rowWidth(layout) * dtypeBytes(layout.dtype);
}

/** Bytes of `gradients.bin`. */
export function gradientBytes(layout: StoreLayout): number {
  return layout.rows * rowBytes(layout);
}

/** Whole rows in a block of about `blockBytes`; at least one. */
export function rowsPerBlock(layout: StoreLayout, blockBytes = BLOCK_BYTES): number {
  return Math.max(1, Math.floor(blockBytes / rowBytes(layout)));
}

/** Where each layer's columns start, and last the width: [layers + 1] numbers. */
export function columnOffsets(layout: StoreLayout): number[] {
  const offsets = [0];
  for (const { width } of layout.columns) offsets.push((offsets.at(-1) ?? 0) + width);
  return offsets;
}

/** The layer that owns the `column`-th number of a row. */
export function layerOfColumn(layout: StoreLayout, column: number): string {
  let end = 0;
  for (const { layer, width } of layout.columns) {
    end += width;
    if (column < end) return layer;
  }
  return `column ${column}`;
}

/** Throws {@link InvalidLayoutError}, naming `where`, unless `layout` can describe a store. */
export function checkLayout(layout: StoreLayout, where: string): void {
  const { rows, examples = 0, dtype, columns } = layout;
  const fail = (field: string, expected: string, found: unknown): never => {
    throw new InvalidLayoutError(where, field, expected, JSON.stringify(found));
  };
  if (!Number.isSafeInteger(rows) || rows < 0) fail('rows', 'a whole number from 0', rows);
  if (!Number.isSafeInteger(examples) || examples < 0) fail('examples', 'a whole number from 0', examples);
  if (!['float32', 'float16'].includes(dtype)) fail('dtype', 'float32 or float16', dtype);
  if (columns.length === 0) fail('columns', 'at least one layer', columns);
  const seen = new Set<string>();
  for (const { layer, width } of columns) {
    if (!Number.isSafeInteger(width) || width < 1) fail(layer, 'a width of at least 1', width);
    if (seen.has(layer)) fail(layer, 'named once', 'a second time');
    seen.add(layer);
  }
}

/** `info.json` as Bergson writes it. Keys are laid out by hand: objects would reorder a layer named "10". */
export function encodeInfo(layout: StoreLayout): string {
  const sizes = layout.columns.map(({ layer, width }) => `    ${JSON.stringify(layer)}: ${width}`);
  return [
    '{',
    `  "attribute_tokens": ${layout.examples !== undefined},`,
    `  "num_items": ${layout.examples ?? layout.rows},`,
    `  "num_grads": ${layout.rows},`,
    '  "grad_sizes": {',
    sizes.join(',\n'),
    '  },',
    `  "base_dtype": ${JSON.stringify(layout.dtype)}`,
    '}',
  ].join('\n');
}

const GRAD_SIZES = /"grad_sizes"\s*:\s*\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}/;
const GRAD_SIZE = /("(?:[^"\\]|\\.)*")\s*:\s*(-?[\d.eE+-]+)/g;

/** The layout in the `text` of the info.json at `file`. Throws {@link InvalidLayoutError}. */
export function parseInfo(text: string, file: string): StoreLayout {
  let info: Record<string, unknown>;
  try {
    info = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new InvalidLayoutError(file, 'content', 'JSON', `${text.length} characters that are not`);
  }
  // The order of keys is the order of columns, and JSON.parse moves keys that look like numbers.
  const columns = [...(GRAD_SIZES.exec(text)?.[1] ?? '').matchAll(GRAD_SIZE)].map(([, name, width]) => ({
    layer: JSON.parse(name ?? '""') as string,
    width: Number(width),
  }));
  const layout = {
    rows: info.num_grads as number,
    ...(info.attribute_tokens === true && { examples: info.num_items as number }),
    dtype: info.base_dtype as RowDtype,
    columns,
  };
  checkLayout(layout, file);
  return layout;
}

/** Layers and widths, in order, to compare and to name in errors. */
export function describeColumns(columns: readonly Column[]): string {
  return columns.map(({ layer, width }) => `${layer}: ${width}`).join(', ');
}
