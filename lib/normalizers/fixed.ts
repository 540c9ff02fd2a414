/** Second moments of every weight that stay what they are: fitted from data, or as an optimizer left them. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from '../capture/attributed-layers';
import type { KernelMoments } from '../../kernels/project-normalized';
import { readMoments, type MomentSource } from './moment-source';
import type { ElementNormalizer } from './normalizer';

/** G / (sqrt(V) + ε) with V by part, each laid out once and kept until `dispose`. */
export class FixedNormalizer implements ElementNormalizer {
  readonly fixed = true;
  private readonly matrices = new Map<string, tf.Tensor2D>();
  private readonly kernels = new Map<string, Omit<KernelMoments, 'epsilon'>>();

  /** V [O, I] of each part is what `source` holds under the part's path. */
  constructor(
    readonly name: string,
    readonly epsilon: number,
    private readonly source: MomentSource,
  ) {}

  /** V, float32 [O, I]. Owned by this object. @throws NormalizerMismatchError */
  secondMoments(part: AttributedPart): tf.Tensor2D {
    const known = this.matrices.get(part.path);
    if (known !== undefined) return known;
    const matrix = tf.keep(this.read(part));
    this.matrices.set(part.path, matrix);
    return matrix;
  }

  /** V as a kernel [I, O] and a bias [O]. Owned by this object. @throws NormalizerMismatchError */
  kernelMoments(part: AttributedPart): Omit<KernelMoments, 'epsilon'> | null {
    if (part.asKernel === undefined) return null;
    const known = this.kernels.get(part.path);
    if (known !== undefined) return known;
    const [outputs, inputs] = part.gradientShape;
    const [kernel, bias] = tf.tidy(() => {
      const transposed = this.read(part).transpose<tf.Tensor2D>(); // [I, O], the bias's row last
      if (part.asKernel?.([...part.weights]).bias == null) return [transposed];
      return [transposed.slice(0, inputs - 1), transposed.slice(inputs - 1).reshape([outputs])];
    }) as [tf.Tensor, tf.Tensor?];
    const moments = {
      kernel: tf.keep(kernel),
      bias: bias === undefined ? null : tf.keep(bias),
      correction: 1,
    };
    this.kernels.set(part.path, moments);
    return moments;
  }

  /** Frees what was laid out, and closes the file that the moments are in. */
  dispose(): void {
    const kernels = [...this.kernels.values()].flatMap(({ kernel, bias }) => [kernel, bias ?? []]).flat();
    tf.dispose([[...this.matrices.values()], kernels]);
    this.matrices.clear();
    this.kernels.clear();
    this.source.close();
  }

  /** V, float32 [O, I], as a tensor of the caller's. @throws NormalizerMismatchError */
  read({ path, gradientShape }: AttributedPart): tf.Tensor2D {
    return tf.tensor2d(readMoments(this.source, path, gradientShape), [...gradientShape]);
  }
}
