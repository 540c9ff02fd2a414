/** Which TensorFlow.js backend runs, and why. The only file that loads tfjs-node-gpu. */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

/** Loads and selects a backend: `BERGSON_BACKEND` if set, else the best that works. Resolves to its name. */
export async function loadBackend(choice = process.env.BERGSON_BACKEND): Promise<string> {
  if (choice === undefined || choice === 'tensorflow') require('@tensorflow/tfjs-node-gpu');
  await tf.setBackend(choice ?? 'tensorflow');
  return tf.getBackend();
}
