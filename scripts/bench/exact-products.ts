/**
 * Lets a GPU multiply matrices in float32. TensorFlow's own choice, TF32, rounds factors to 10 bits: more than what checks
 * of gradients allow. For before the first product.
 */
export function multiplyExactly(): void {
  process.env.NVIDIA_TF32_OVERRIDE = '0';
}
