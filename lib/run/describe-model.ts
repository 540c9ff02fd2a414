/** What a run says of its model and of how gradients are made, whether the model trains or is frozen. */
import tf = require('@tensorflow/tfjs');
import { lossNames } from '../compiled-model';
import type { GradientCollector } from '../gradient-collector';
import { VERSION } from '../version';
import type { RunDescription } from './run-manifest';

export type ModelDescription = Pick<
  RunDescription,
  | 'created'
  | 'versions'
  | 'backend'
  | 'layers'
  | 'coverage'
  | 'projection'
  | 'includeBias'
  | 'attention'
  | 'losses'
>;

export function describeModel(
  model: tf.LayersModel,
  { layers, coverage, projection, includeBias, attention }: GradientCollector,
): ModelDescription {
  return {
    created: new Date().toISOString(),
    versions: { 'tfjs-bergson': VERSION, tfjs: tf.version.tfjs, node: process.version },
    backend: tf.getBackend(),
    layers: layers.flatMap(({ layer, parts, fallback }) =>
      parts.map(({ path, gradientShape }) => ({
        path,
        className: layer.getClassName(),
        gradientShape,
        fallback,
      })),
    ),
    coverage,
    projection,
    includeBias,
    attention,
    losses: lossNames(model),
  };
}
