/** What the demo tells a run of its digits, and writes down as queries. */
import fs from 'node:fs';
import path from 'node:path';
import type { ExampleRecord } from '../../lib/run/example-records';
import { crop, shrink, type Picture } from '../terminal/picture';
import { CLASSES, SIDE, type Digit } from './digits';
import type { FlippedLabels } from './flipped-labels';

/** The record of each digit: the label it was given, what it shows if that is another, and a small picture. */
export function* recordsOf(digits: readonly Digit[], { labels }: FlippedLabels): Generator<ExampleRecord> {
  for (const [i, { label, pixels }] of digits.entries()) {
    const given = labels[i] ?? label;
    const flipped = given === label ? {} : { 'flipped from': label };
    yield { label: given, ...flipped, picture: smallPicture(pixels) };
  }
}

/** Pixels along the empty border of a digit. */
const BORDER = 2;

/** A digit without its border at half its size, in eleven greys. */
export function smallPicture(pixels: readonly number[]): Picture {
  const small = shrink(crop({ width: SIDE, height: SIDE, pixels }, BORDER), 2);
  return { ...small, pixels: small.pixels.map((value) => Math.round(value * 10) / 10) };
}

/**
 * Writes digits with their labels for `bergson query --input`, or for `bergson verify --examples` with the numbers of the
 * training examples they are.
 */
export function writeDigits(file: string, digits: readonly Digit[], examples?: readonly number[]): void {
  const lines = digits.map(({ pixels, label }, i) => {
    const rows = Array.from({ length: SIDE }, (_, y) => pixels.slice(y * SIDE, (y + 1) * SIDE));
    return JSON.stringify({
      x: rows.map((row) => row.map((value) => [value])), // [SIDE, SIDE, 1]
      y: Array.from({ length: CLASSES }, (_, digit) => (digit === label ? 1 : 0)),
      label,
      example: examples?.[i], // left out of the line where there is none
      picture: smallPicture(pixels),
    });
  });
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `${lines.join('\n')}\n`);
}
