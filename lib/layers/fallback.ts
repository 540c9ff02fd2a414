/**
 * Per-example gradients of any layer, by running it again for each example alone: the vector-Jacobian product of that
 * layer, from its recorded inputs and output gradients. Exact, and slower than an adapter by about the batch's size.
 */
import tf = require('@tensorflow/tfjs');
import { FallbackError } from '../errors';
import { vectorJacobianProduct } from '../vector-jacobian-product';
import type { ExplicitGradient } from './factors';
import { kernelLayout, vectorMatrix } from './gradient-matrix';
import type { CallArguments, GradientPart, Layer, LayerContext, LayerGradient } from './layer-gradient';
import { localName } from './weight';

/**
 * How far an example's output alone may be from that in its batch, relative to the batch's largest: rounding of
 * sums in another order, far below what a random mask or another example does.
 */
const SAME_OUTPUT = 1e-3;

/**
 * The fallback for the weights that a layer itself holds, each one a part: [O, I] with the weight's last axis as O, a
 * vector [O, 1]. Which of them are biases is not known, so all are covered.
 */
export function fallbackGradient(
  path: string,
  layer: Layer,
  weights: ReadonlySet<tf.Variable>,
): LayerGradient {
  const held = layer.trainableWeights.filter((weight) =>
    weights.has(weight.read() as unknown as tf.Variable),
  );
  const names = uniqueNames(held.map(localName));
  const parts: GradientPart[] = held.map((weight, i) => ({
    name: held.length === 1 ? '' : (names[i] ?? ''),
    weights: [weight.read() as unknown as tf.Variable],
    asMatrix: ([values]) => asMatrix(values as tf.Tensor),
  }));
  return {
    className: layer.getClassName(),

    parts: () => parts,

    forward(context, tap) {
      const { call, inputs, kwargs } = context;
      const outputs = call(layer, inputs, kwargs);
      const [given, restore] = flattenArguments(inputs, kwargs);
      // A recurrent cell may return one tensor as its output and as its state.
      const tapped = new Map<tf.Tensor, tf.Tensor>();
      [outputs].flat().forEach((output, index) => {
        if (output.dtype !== 'float32' || tapped.has(output)) return;
        const factorsOf = ([whole, ...saved]: tf.Tensor[], outputGradient: tf.Tensor) => {
          const rerun = (example: number) => {
            const { inputs, kwargs } = restore(saved.map((tensor) => sliceExample(tensor, example, whole)));
            return runAlone(path, context, inputs, kwargs)[index] as tf.Tensor;
          };
          return gradientsAlone(path, layer, parts, whole as tf.Tensor, outputGradient, rerun);
        };
        tapped.set(output, tap(output, [output, ...given], factorsOf));
      });
      const replace = (output: tf.Tensor) => tapped.get(output) ?? output;
      return Array.isArray(outputs) ? outputs.map(replace) : replace(outputs);
    },
  };
}

/** Each part's gradient from one output [N, ...], whose example n is what `rerun` computes. @throws FallbackError */
function gradientsAlone(
  path: string,
  layer: Layer,
  parts: readonly GradientPart[],
  output: tf.Tensor,
  outputGradient: tf.Tensor,
  rerun: (example: number) => tf.Tensor,
): ExplicitGradient[] {
  const variables = parts.flatMap(({ weights }) => weights);
  const [examples = 0] = output.shape;
  const deviations: tf.Tensor[] = [];
  const gradients = Array.from({ length: examples }, (_, example) => {
    const { value, gradients } = vectorJacobianProduct(
      () => rerun(example),
      variables,
      outputGradient.slice(example, 1),
    );
    deviations.push(tf.max(tf.abs(tf.sub(value, output.slice(example, 1)))));
    return gradients;
  });
  const largest = tf.max(tf.abs(output)).dataSync()[0] ?? NaN;
  const deviation = tf.stack(deviations).dataSync();
  const example = deviation.findIndex((difference) => !(difference <= SAME_OUTPUT * largest));
  if (example >= 0) {
    const difference = deviation[example] ?? NaN;
    throw new FallbackError(
      path,
      layer.getClassName(),
      `gave outputs for example ${example} that differ by ${difference}, where the largest is ${largest}, when run for it ` +
        'alone: it draws random numbers, keeps a state or lets examples meet',
    );
  }
  return parts.map(({ asMatrix }, part) => ({
    gradient: tf.stack(
      gradients.map((ofExample) =>
        asMatrix([ofExample[part] ?? tf.zerosLike(variables[part] as tf.Variable)]),
      ),
    ) as tf.Tensor3D,
  }));
}

/** The layer's outputs for one example, and none of the changes to what it keeps up to date. @throws FallbackError */
function runAlone(
  path: string,
  { layer, rerun }: LayerContext,
  inputs: tf.Tensor[],
  kwargs: CallArguments,
): tf.Tensor[] {
  const kept = layer.nonTrainableWeights.map((weight) => weight.read() as unknown as tf.Variable);
  const before = kept.map((variable) => variable.clone());
  try {
    return [rerun(inputs, kwargs)].flat();
  } catch (cause) {
    throw new FallbackError(path, layer.getClassName(), 'failed when run for one example alone', { cause });
  } finally {
    kept.forEach((variable, i) => {
      variable.assign(before[i] as tf.Tensor);
    });
  }
}

/** One example of a tensor that lies by example as `batch` does; any other tensor whole. */
function sliceExample(tensor: tf.Tensor, example: number, batch: tf.Tensor | undefined): tf.Tensor {
  return tensor.rank > 0 && tensor.shape[0] === batch?.shape[0] ? tensor.slice(example, 1) : tensor;
}

/** All tensors a call was given, and how to make arguments of others in their place. */
function flattenArguments(
  inputs: readonly tf.Tensor[],
  kwargs: CallArguments,
): [tf.Tensor[], (tensors: tf.Tensor[]) => { inputs: tf.Tensor[]; kwargs: CallArguments }] {
  const isTensors = (value: unknown): value is tf.Tensor | tf.Tensor[] =>
    value instanceof tf.Tensor ||
    (Array.isArray(value) && value.length > 0 && value.every((item) => item instanceof tf.Tensor));
  const entries = Object.entries(kwargs).filter((entry): entry is [string, tf.Tensor | tf.Tensor[]] =>
    isTensors(entry[1]),
  );
  const restore = (tensors: tf.Tensor[]) => {
    const rest = tensors.slice(inputs.length);
    const replaced = entries.map(([name, value]) => [
      name,
      Array.isArray(value) ? rest.splice(0, value.length) : rest.shift(),
    ]);
    return {
      inputs: tensors.slice(0, inputs.length),
      kwargs: { ...kwargs, ...(Object.fromEntries(replaced) as CallArguments) },
    };
  };
  return [[...inputs, ...entries.flatMap(([, value]) => value)], restore];
}

function asMatrix(values: tf.Tensor): tf.Tensor2D {
  return values.rank > 1 ? kernelLayout.asMatrix([values]) : vectorMatrix([values]);
}

/** Names that occur more than once are numbered, from the second on. */
function uniqueNames(names: readonly string[]): string[] {
  return names.map((name, i) => {
    const earlier = names.slice(0, i).filter((other) => other === name).length;
    return earlier === 0 ? name : `${name}_${earlier}`;
  });
}
