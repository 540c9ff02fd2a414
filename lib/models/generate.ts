/** Lets a language model go on with a text. */
import tf = require('@tensorflow/tfjs');
import { ContextLengthError, InvalidOptionError } from '../errors';
import { seededUniform } from '../search/random';
import type { CausalLM } from './causal-lm';

export interface GenerateOptions {
  /** New tokens at most. */
  readonly maxTokens: number;
  /** What logits are divided by before a token is drawn; 0 takes the likeliest each time. Default: 0. */
  readonly temperature?: number;
  /** Of the draws. Default: 0. */
  readonly seed?: number;
}

/**
 * The ids [at most `maxTokens`] that `lm` goes on with after `prompt`, one at a time. It ends with the model's end-of-text token,
 * which is the last of them, or where the context is full. Each token is a pass over all before it.
 * @throws InvalidOptionError, ContextLengthError if the prompt leaves no room
 */
export async function generate(
  lm: CausalLM,
  prompt: ArrayLike<number>,
  { maxTokens, temperature = 0, seed = 0 }: GenerateOptions,
): Promise<Int32Array> {
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 1)
    throw new InvalidOptionError('maxTokens', maxTokens, 'a whole number from 1');
  if (!(temperature >= 0 && temperature < Infinity))
    throw new InvalidOptionError('temperature', temperature, 'at least 0');
  if (prompt.length === 0) throw new InvalidOptionError('prompt', 'empty', 'of at least one token');
  if (prompt.length >= lm.contextLength) throw new ContextLengthError(prompt.length + 1, lm.contextLength);
  const ends = new Set([lm.config.eos_token_id].flat());
  const uniform = seededUniform(seed);
  const ids = [...Array.from(prompt)];
  const room = Math.min(maxTokens, lm.contextLength - prompt.length);
  for (let i = 0; i < room; i++) {
    const logits = await lastLogits(lm, ids);
    const next = temperature === 0 ? likeliest(logits) : draw(logits, temperature, uniform());
    ids.push(next);
    if (ends.has(next)) break;
  }
  return Int32Array.from(ids.slice(prompt.length));
}

/** Of the token after `ids`, [V]. */
async function lastLogits({ model }: CausalLM, ids: readonly number[]): Promise<Float32Array> {
  const last = tf.tidy(() => {
    const input = tf.tensor2d([...ids], [1, ids.length], 'int32');
    return (model.apply(input) as tf.Tensor3D).slice([0, ids.length - 1]);
  });
  const logits = await last.data<'float32'>();
  last.dispose();
  return logits;
}

/** The first of those with the highest logit. */
function likeliest(logits: Float32Array): number {
  return logits.reduce((best, logit, token) => (logit > (logits[best] ?? 0) ? token : best), 0);
}

/** The token at which the sum of probabilities passes `share` of one. */
function draw(logits: Float32Array, temperature: number, share: number): number {
  const highest = logits[likeliest(logits)] ?? 0;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - highest) / temperature));
  let left = share * weights.reduce((sum, weight) => sum + weight, 0);
  const token = weights.findIndex((weight) => (left -= weight) < 0);
  return token < 0 ? logits.length - 1 : token;
}
