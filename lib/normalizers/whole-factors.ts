/** All that one part's gradients are made of, brought into one of three forms. Runs inside the caller's `tf.tidy`. */
import tf = require('@tensorflow/tfjs');
import { asPositions, contractPositions } from '../../kernels/project';
import { joinPositions, OneHotActivations, type Activations } from '../layers/activations';
import type { ExplicitGradient, Factors, LinearFactors } from '../layers/factors';

/** G_n = Σ_s d_ns a_nsᵀ, with a constant input of one last where there is a bias. */
export interface PlainFactors {
  /** A [N, S, I]. */
  readonly activations: tf.Tensor3D;
  /** D [N, S, O]. */
  readonly outputGradients: tf.Tensor3D;
}

/** The same where position s of example n has the one input `ids[n, s]`. */
export interface OneHotFactors {
  /** int32 [N, S]. */
  readonly ids: tf.Tensor2D;
  /** D [N, S, O]. */
  readonly outputGradients: tf.Tensor3D;
}

/** The calls of a part as one, for gradients of `inputs` columns, a bias's counted. */
export function wholeFactors(
  factors: readonly Factors[],
  inputs: number,
): ExplicitGradient | OneHotFactors | PlainFactors {
  const explicit = factors.filter((each) => 'gradient' in each);
  const linear = factors.filter((each): each is LinearFactors => !('gradient' in each));
  if (linear.length === 0) return { gradient: sum(explicit.map(({ gradient }) => gradient)) };
  const outputGradients = join(linear.map((each) => asPositions(each.outputGradients)));
  const oneHot = linear.flatMap(({ activations }) => (isOneHot(activations, inputs) ? [activations] : []));
  if (oneHot.length === factors.length)
    return {
      ids: tf.concat2d(
        oneHot.map(({ ids }) => ids),
        1,
      ),
      outputGradients,
    };
  const activations = join(linear.map((each) => withBias(each.activations, inputs)));
  if (explicit.length === 0) return { activations, outputGradients };
  const formed = contractPositions(outputGradients, activations);
  return { gradient: sum([formed, ...explicit.map(({ gradient }) => gradient)]) };
}

function isOneHot(activations: Activations, inputs: number): activations is OneHotActivations {
  return activations instanceof OneHotActivations && activations.inputs === inputs;
}

/** [N, S, I], of which the last is one for the bias if there is one. */
function withBias(activations: Activations, inputs: number): tf.Tensor3D {
  const values = activations.materialize();
  if (activations.inputs === inputs) return values;
  const [n, s] = values.shape;
  return tf.concat3d([values, tf.ones([n, s, 1])], 2);
}

function join(tensors: readonly tf.Tensor3D[]): tf.Tensor3D {
  const [first, ...others] = tensors;
  return first !== undefined && others.length === 0 ? first : joinPositions(tensors);
}

function sum(tensors: tf.Tensor3D[]): tf.Tensor3D {
  const [first, ...others] = tensors;
  return first !== undefined && others.length === 0 ? first : tf.addN(tensors);
}
