import tf = require('@tensorflow/tfjs');
import { applyHostFixes } from '../../lib/host-fixes';

const KERNELS = [tf.Tile, tf.Relu, tf.Sum, tf.Mean];
const registered = () => KERNELS.map((name) => tf.getGradient(name));

test('undoing puts back the very gradients and method that were there', () => {
  const layer = tf.layers.layerNormalization();
  const call = () => layer.call; // eslint-disable-line @typescript-eslint/unbound-method -- compared, not called
  const [gradients, method] = [registered(), call()];
  const undo = applyHostFixes();
  registered().forEach((gradient, i) => {
    expect(gradient).not.toBe(gradients[i]);
  });
  expect(call()).not.toBe(method);
  undo();
  registered().forEach((gradient, i) => {
    expect(gradient).toBe(gradients[i]);
  });
  expect(call()).toBe(method);
});

test('applying twice is applying once', () => {
  const gradients = registered();
  const undo = applyHostFixes();
  expect(applyHostFixes()).toBe(undo);
  undo();
  undo();
  expect(registered()).toEqual(gradients);
});

test('undoing leaves alone what someone else registered since', () => {
  const original = tf.getGradient(tf.Relu);
  const undo = applyHostFixes();
  const other = { ...original };
  tf.unregisterGradient(tf.Relu);
  tf.registerGradient(other);
  undo();
  expect(tf.getGradient(tf.Relu)).toBe(other);
  tf.unregisterGradient(tf.Relu);
  tf.registerGradient(original);
});
