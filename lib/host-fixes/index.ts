/** Slow spots of tfjs itself that profiles of training steps show, replaced while a run lasts. */
import tf = require('@tensorflow/tfjs');
import { replaceLayerNormalization } from './layer-normalization';
import { meanGradient, sumGradient } from './reduction-gradients';
import { reluGradient } from './relu-gradient';
import { tileGradient } from './tile-gradient';

let undoCurrent: (() => void) | undefined;

/**
 * Replaces, for the whole process, what makes tfjs's training steps slow: the gradients of Tile, Relu, Sum and
 * Mean, and the LayerNormalization layer. Values and gradients stay the same to rounding, on every backend. The effect
 * of each is measured in docs/benchmarks.md.
 *
 * Call it once before training. Further calls change nothing and return the same undo.
 *
 * @returns Puts back what was replaced, except where something else has replaced it since.
 */
export function applyHostFixes(): () => void {
  if (undoCurrent !== undefined) return undoCurrent;
  const undos = [
    replaceGradient(tf.Tile, () => tileGradient),
    replaceGradient(tf.Relu, reluGradient),
    replaceGradient(tf.Sum, () => sumGradient),
    replaceGradient(tf.Mean, () => meanGradient),
    replaceLayerNormalization(),
  ];
  const undo = () => {
    if (undoCurrent !== undo) return;
    undoCurrent = undefined;
    for (const restore of undos) restore();
  };
  undoCurrent = undo;
  return undo;
}

/** Registers `make(original)` in place of the gradient of `kernelName`. Returns the undo. */
function replaceGradient(kernelName: string, make: (original: tf.GradConfig) => tf.GradConfig): () => void {
  const original = tf.getGradient(kernelName);
  const replacement = make(original);
  // Unregistered first: registering over a gradient warns.
  tf.unregisterGradient(kernelName);
  tf.registerGradient(replacement);
  return () => {
    if (tf.getGradient(kernelName) !== replacement) return;
    tf.unregisterGradient(kernelName);
    tf.registerGradient(original);
  };
}
