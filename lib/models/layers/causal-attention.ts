/** Causal attention as layers apply it. */
import tf = require('@tensorflow/tfjs');
import { attentionKernel, type CausalAttention } from '../../../kernels/causal-attention';
import { SecondDerivativeError } from '../../errors';

/**
 * softmax(scale Q Kᵀ + mask) V of each head, a position seeing itself and earlier ones, from the outputs of the maps to the
 * input of the next. Differentiable once, or a SecondDerivativeError is thrown.
 *
 * @param inputs float32: queries [N, S, H D], keys and values [N, S, K D], heads h H / K up to (h + 1) H / K sharing key and
 *   value h; or, where `order` is given, all three as outputs of one map [N, S, 3 H D].
 * @returns float32 [N, S, H D]; the caller disposes it.
 * @see Vaswani et al., arXiv 1706.03762, section 3.2.1; Dao et al., arXiv 2205.14135, appendix B.
 */
export function causalAttention(
  inputs: readonly tf.Tensor[],
  options: Pick<CausalAttention, 'heads' | 'scale'> & Partial<CausalAttention>,
): tf.Tensor3D {
  const attention = { keyHeads: options.heads, window: null, frequencies: null, order: null, ...options };
  const kernel = attentionKernel();
  return tf.customGrad((...given) => {
    const save = given[inputs.length] as unknown as tf.GradSaveFunc;
    const maps = given.slice(0, inputs.length) as tf.Tensor[] as tf.Tensor3D[];
    const { output, saved } = kernel.forward(maps, attention);
    save(saved);
    return {
      value: output,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        if (tf.engine().isTapeOn()) throw new SecondDerivativeError('causal attention');
        return tf.tidy(() => kernel.backward(dy as tf.Tensor3D, saved, attention));
      },
    };
  })(...inputs);
}
