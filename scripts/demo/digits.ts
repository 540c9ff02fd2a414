/** Handwritten digits: the 10,000 of the `mnist` package. */
import tf = require('@tensorflow/tfjs');
import fs from 'node:fs';
import { seededOrder } from './seeded';

/** Pixels along a side. */
export const SIDE = 28;
export const CLASSES = 10;

export interface Digit {
  /** [SIDE x SIDE] by rows, from 0 (background) to 1 (ink). */
  readonly pixels: readonly number[];
  /** What it shows. */
  readonly label: number;
}

/** All digits, in an order fixed by `seed`. */
export function loadDigits(seed: number): Digit[] {
  const digits: Digit[] = [];
  for (let label = 0; label < CLASSES; label++) {
    // The package's own module copies every digit when it is loaded; its data files are all that is wanted.
    const file = require.resolve(`mnist/src/digits/${label}.json`);
    const { data } = JSON.parse(fs.readFileSync(file, 'utf8')) as { data: number[] };
    for (let start = 0; start + SIDE ** 2 <= data.length; start += SIDE ** 2) {
      digits.push({ pixels: data.slice(start, start + SIDE ** 2), label });
    }
  }
  return seededOrder(digits.length, seed).map((i) => digits[i] as Digit);
}

/** Inputs float32 [N, SIDE, SIDE, 1] and one-hot targets float32 [N, CLASSES]. */
export interface Tensors {
  readonly xs: tf.Tensor4D;
  readonly ys: tf.Tensor2D;
}

/** Digits as tensors, labelled by what they show unless `labels` says otherwise. The caller disposes them. */
export function toTensors(
  digits: readonly Digit[],
  labels: readonly number[] = digits.map(({ label }) => label),
): Tensors {
  const pixels = new Float32Array(digits.length * SIDE ** 2);
  digits.forEach((digit, i) => {
    pixels.set(digit.pixels, i * SIDE ** 2);
  });
  const xs = tf.tensor4d(pixels, [digits.length, SIDE, SIDE, 1]);
  const ys = tf.tidy(() => tf.oneHot(tf.tensor1d([...labels], 'int32'), CLASSES).toFloat() as tf.Tensor2D);
  return { xs, ys };
}
