/** Small grey pictures in a terminal: two pixels a character, one above the other. */
import type { Cell } from './layout';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** [height x width] by rows, from 0 (black) to 1 (white). */
  readonly pixels: readonly number[];
}

/** The picture in a record's field: rows of numbers, or an object as {@link Picture}; undefined for anything else. */
export function toPicture(value: unknown): Picture | undefined {
  if (Array.isArray(value)) {
    const rows = value as readonly unknown[];
    const width = Array.isArray(rows[0]) ? rows[0].length : 0;
    if (!rows.every((row) => isNumbers(row) && row.length === width)) return undefined;
    return check({ width, height: rows.length, pixels: (rows as number[][]).flat() });
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { width, height, pixels } = value as Record<string, unknown>;
  if (typeof width !== 'number' || typeof height !== 'number' || !isNumbers(pixels)) return undefined;
  return check({ width, height, pixels });
}

/** `picture` without `border` pixels on each side. */
export function crop({ width, height, pixels }: Picture, border: number): Picture {
  const rows = Array.from({ length: height - 2 * border }, (_, row) => {
    const start = (row + border) * width;
    return pixels.slice(start + border, start + width - border);
  });
  return { width: width - 2 * border, height: rows.length, pixels: rows.flat() };
}

/** `picture` with sides `factor` times shorter, each pixel the mean of those it stands for. */
export function shrink({ width, height, pixels }: Picture, factor: number): Picture {
  const small = { width: Math.floor(width / factor), height: Math.floor(height / factor) };
  const mean = (row: number, column: number) => {
    let sum = 0;
    for (let y = row * factor; y < (row + 1) * factor; y++) {
      for (let x = column * factor; x < (column + 1) * factor; x++) sum += pixels[y * width + x] ?? 0;
    }
    return sum / factor ** 2;
  };
  return {
    ...small,
    pixels: Array.from({ length: small.height * small.width }, (_, i) =>
      mean(Math.floor(i / small.width), i % small.width),
    ),
  };
}

/**
 * A line of half blocks for each two rows of pixels: in 24 greys where `colors`, else in black and white, where
 * white is what is at least `THRESHOLD`.
 */
export function drawPicture(picture: Picture, colors: boolean): Cell[] {
  const { width, height, pixels } = picture;
  const at = (row: number, column: number) => (row < height ? (pixels[row * width + column] ?? 0) : 0);
  return Array.from({ length: Math.ceil(height / 2) }, (_, line) => {
    let text = '';
    for (let column = 0; column < width; column++) {
      const [upper, lower] = [at(2 * line, column), at(2 * line + 1, column)];
      text += colors ? `\u001b[38;5;${grey(upper)};48;5;${grey(lower)}m▀` : halfBlock(upper, lower);
    }
    return { text: colors ? `${text}\u001b[0m` : text, width };
  });
}

const THRESHOLD = 0.4;

function halfBlock(upper: number, lower: number): string {
  if (upper >= THRESHOLD) return lower >= THRESHOLD ? '█' : '▀';
  return lower >= THRESHOLD ? '▄' : ' ';
}

/** The terminal's grey for a value: 232 is nearly black, 255 nearly white. */
function grey(value: number): number {
  return 232 + Math.round(23 * Math.min(1, Math.max(0, value)));
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number');
}

function check(picture: Picture): Picture | undefined {
  const { width, height, pixels } = picture;
  return width > 0 && height > 0 && pixels.length === width * height ? picture : undefined;
}
