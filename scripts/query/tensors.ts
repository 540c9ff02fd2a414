/** Makes tensors of queries, after checking that they are what the model takes. */
import tf = require('@tensorflow/tfjs');
import type { Batch } from '../../lib/compiled-model';
import { QueryInputError } from './errors';
import type { QueryInput } from './inputs';

/** A model, with the names of its losses in the order of its outputs. */
export interface CompiledModel {
  readonly model: tf.LayersModel;
  readonly losses: readonly string[];
}

/** A batch of the one query `input`, [1, ...]. The caller disposes it. @throws QueryInputError */
export function toBatch({ model, losses }: CompiledModel, input: QueryInput): Batch {
  if (input.document !== undefined || input.messages !== undefined)
    throw new QueryInputError(input.where, 'texts ask runs of language models; this one takes `x` and `y`');
  const take = (field: 'x' | 'y', slots: readonly Slot[]) =>
    slots.map((expected, slot) => {
      const { numbers, shape } = valuesOf(input, field, slot, slots.length, expected.shape);
      return tf.tensor([...numbers], [1, ...shape], expected.dtype);
    });
  const xs = take('x', model.inputs.map(toSlot));
  const targets = model.outputs.map((output, i) => ({
    ...toSlot(output),
    shape: targetShape(output, losses[i]),
  }));
  return { xs, ys: take('y', targets) };
}

/** One batch of all `inputs`. The caller disposes it. @throws QueryInputError */
export function toBatches(compiled: CompiledModel, inputs: readonly QueryInput[]): Batch {
  return tf.tidy(() => {
    const batches = inputs.map((input) => toBatch(compiled, input));
    const join = (side: 'xs' | 'ys') => {
      const [first = []] = batches.map((batch) => [batch[side]].flat());
      return first.map((_, slot) =>
        tf.concat(batches.map((batch) => [batch[side]].flat()[slot] as tf.Tensor)),
      );
    };
    return { xs: join('xs'), ys: join('ys') };
  });
}

/** What one of a model's inputs or outputs takes of each example; null where any size will do. */
interface Slot {
  readonly shape: readonly (number | null)[];
  readonly dtype: 'float32' | 'int32';
}

function toSlot({ shape, dtype }: tf.SymbolicTensor): Slot {
  return { shape: shape.slice(1), dtype: dtype === 'int32' ? 'int32' : 'float32' };
}

/** A class given as a number has one element where the output has one for each class. */
function targetShape({ shape }: tf.SymbolicTensor, loss: string | undefined): (number | null)[] {
  return loss === 'sparseCategoricalCrossentropy' ? [...shape.slice(1, -1), 1] : shape.slice(1);
}

function valuesOf(
  { where, ...query }: QueryInput,
  field: 'x' | 'y',
  slot: number,
  slots: number,
  expected: Slot['shape'],
): Nested {
  const all = query[field];
  const name = slots === 1 ? `\`${field}\`` : `\`${field}[${slot}]\``;
  if (slots > 1 && !(Array.isArray(all) && all.length === slots)) {
    const found = Array.isArray(all) ? all.length : typeof all;
    throw new QueryInputError(
      where,
      `\`${field}\` must be an array of ${slots}, one for each of the model's, found ${found}`,
    );
  }
  const nested = flatten(slots === 1 ? all : (all as unknown[])[slot]);
  if (typeof nested === 'string') throw new QueryInputError(where, `${name} ${nested}`);
  const single = nested.shape.length === 0 && expected.length === 1 && expected[0] === 1;
  const fits =
    single ||
    (nested.shape.length === expected.length &&
      expected.every((size, axis) => size === null || size === nested.shape[axis]));
  if (fits) return single ? { ...nested, shape: [1] } : nested;
  const wanted = expected.map((size) => size ?? 'any').join(', ');
  throw new QueryInputError(where, `${name} must have shape [${wanted}], found [${nested.shape.join(', ')}]`);
}

interface Nested {
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
}

/** The shape and the numbers of a nested array, or what is wrong with it. */
function flatten(value: unknown): Nested | string {
  if (typeof value === 'number') return { shape: [], numbers: [value] };
  if (!Array.isArray(value))
    return `must be nested arrays of numbers, found ${value === null ? 'null' : typeof value}`;
  const numbers: number[] = [];
  let inner: readonly number[] | undefined;
  for (const item of value) {
    const nested = flatten(item);
    if (typeof nested === 'string') return nested;
    inner ??= nested.shape;
    if (inner.join() !== nested.shape.join()) {
      return `is ragged: it holds both shape [${inner.join(', ')}] and shape [${nested.shape.join(', ')}]`;
    }
    for (const number of nested.numbers) numbers.push(number);
  }
  return { shape: [value.length, ...(inner ?? [])], numbers };
}
