/** The numbers that tell a data set's examples apart, from before shuffling and batching to the training step. */
import tf = require('@tensorflow/tfjs');
import { ExampleIdsError, InvalidOptionError } from './errors';

/** The field of a data set's elements, and then of its batches, that holds ids. */
const FIELD = 'exampleId';

/** From here on not every whole number is a float32, which is what tfjs batches numbers as. */
const FLOAT32_LIMIT = 2 ** 24;
const INT32_LIMIT = 2 ** 31;

/**
 * `dataset` with a field `exampleId` in each element: its place in the data set, from 0. Call it before `shuffle`,
 * `batch` and `repeat`, on a data set that has the same order in every epoch, and keep the field in any `map` after it.
 * Instead of calling it, a data set may have ids of its own in `exampleId`; batched, it is a tensor [batch].
 *
 * A model prepared by `prepareForGradientCollection` reads the ids in `fitDataset` and disposes them; models that are
 * not prepared never see them, nor dispose them.
 *
 * @throws ExampleIdsError if `dataset` repeats forever, or, while it is read, if an element is no object without that field.
 * @example
 * const batches = withExampleIds(tf.data.array(examples)).shuffle(1000).batch(32);
 * await model.fitDataset(batches, { epochs: 3, callbacks: [collector] });
 */
export function withExampleIds<T extends tf.TensorContainer>(
  dataset: tf.data.Dataset<T>,
): tf.data.Dataset<T & { exampleId: number }> {
  if (dataset.size === Infinity)
    throw new ExampleIdsError('the data set repeats forever, and would have a new id for each repetition');
  const count = tf.data.generator(function* () {
    for (let id = 0; ; id++) yield id;
  });
  // Of the two sizes `zip` takes the smaller, which is 0 if one is unknown.
  Object.assign(count, { size: dataset.size });
  const numbered = tf.data.zip<{ element: unknown; id: number } & tf.TensorContainerObject>({
    element: dataset,
    id: count,
  });
  return numbered.map(({ element, id }) => {
    const named = typeof element === 'object' && element !== null && !Array.isArray(element);
    if (!named || element instanceof tf.Tensor || FIELD in element)
      throw new ExampleIdsError(`element ${id} of the data set is not an object without \`${FIELD}\``);
    return { ...element, [FIELD]: id } as T & { exampleId: number };
  });
}

/** The ids in a batch of a data set, [batch]. @throws ExampleIdsError if there are none, InvalidOptionError */
export async function readExampleIds(batch: object): Promise<Int32Array> {
  const ids = (batch as { [FIELD]?: unknown })[FIELD];
  if (ids instanceof tf.Tensor)
    return toExampleIds(FIELD, await ids.data(), ids.dtype === 'int32' ? INT32_LIMIT : FLOAT32_LIMIT);
  if (typeof ids === 'number') return toExampleIds(FIELD, [ids]);
  throw new ExampleIdsError(`a batch of the data set has no \`${FIELD}\``);
}

/** Frees the ids in a batch of a data set, if it has any. */
export function releaseExampleIds(batch: object): void {
  tf.dispose((batch as { [FIELD]?: tf.Tensor })[FIELD]);
}

/** The ids [batch] given as `name`, as row numbers. @throws InvalidOptionError unless they are whole numbers in [0, limit) */
export function toExampleIds(name: string, ids: ArrayLike<number>, limit = INT32_LIMIT): Int32Array {
  return Int32Array.from(ids, (id) => {
    if (Number.isInteger(id) && id >= 0 && id < limit) return id;
    throw new InvalidOptionError(name, id, `whole numbers from 0 to ${limit - 1}`);
  });
}
