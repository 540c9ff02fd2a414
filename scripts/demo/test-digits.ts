/** What the trained model makes of digits it was not trained on, and which of them to ask about. */
import tf = require('@tensorflow/tfjs');
import type { Digit, Tensors } from './digits';

/** A test digit as the model reads it. */
export interface Reading {
  /** Its place among the test digits. */
  readonly index: number;
  readonly label: number;
  readonly read: number;
  /** The probability the model gives to its label. */
  readonly probability: number;
}

export function readDigits(model: tf.LayersModel, { xs }: Tensors, digits: readonly Digit[]): Reading[] {
  const outputs = tf.tidy(() => (model.predict(xs) as tf.Tensor2D).arraySync()); // [N, CLASSES]
  return digits.map(({ label }, index) => {
    const probabilities = outputs[index] ?? [];
    const read = probabilities.indexOf(Math.max(...probabilities));
    return { index, label, read, probability: probabilities[label] ?? NaN };
  });
}

export function accuracy(readings: readonly Reading[]): number {
  return readings.filter(({ label, read }) => label === read).length / readings.length;
}

/** Above this the model is so sure that no training digit has much left to teach. */
const SURE = 0.95;

/** Up to `count` digits to ask about: the first read wrong, then the first of other labels read right, unsure ones first. */
export function chooseDigits(readings: readonly Reading[], count: number): Reading[] {
  const right = readings.filter(({ label, read }) => label === read);
  const chosen = readings.filter(({ label, read }) => label !== read).slice(0, 1);
  const unsure = right.filter(({ probability }) => probability < SURE);
  for (const reading of [...unsure, ...right]) {
    if (chosen.length >= count) break;
    if (!chosen.some(({ label }) => label === reading.label)) chosen.push(reading);
  }
  return chosen;
}
