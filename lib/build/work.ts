/** How long batches take, in proportion: what progress is counted in. */
import type { CausalLM } from '../models/causal-lm';
import type { BatchShape } from './survey';

/** What of a model decides that. */
export interface ModelSize {
  /** Numbers in the matrices that every token is multiplied by. */
  readonly parameters: number;
  /** Numbers that meet at each pair of positions, over all layers: twice the width of attention. */
  readonly attention: number;
}

export function modelSize({ model, config }: CausalLM): ModelSize {
  const number = (...names: string[]) =>
    names.map((name) => config[name]).find((value): value is number => typeof value === 'number') ?? 0;
  const matrices = model.trainableWeights.map(({ shape }) => shape).filter(({ length }) => length === 2);
  return {
    parameters: matrices.reduce(
      (sum, shape) => sum + shape.reduce<number>((size, n) => size * (n ?? 1), 1),
      0,
    ),
    attention: 2 * number('n_embd', 'hidden_size') * number('n_layer', 'num_hidden_layers', 'num_layers'),
  };
}

/** The work of a batch, in tokens of a text so short that attention costs nothing. */
export function workOf([examples, tokens]: BatchShape, { parameters, attention }: ModelSize): number {
  return examples * tokens * (1 + (tokens * attention) / parameters);
}
