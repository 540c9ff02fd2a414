/** Adapters in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`. */
import path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { findWeightedLayers } from '../capture/trained-layers';
import { CheckpointError } from '../errors';
import { localName } from '../layers/weight';
import type { Architecture } from './architecture';
import { Checkpoint } from './checkpoint';
import { CompositeLayer } from './layers/composite-layer';
import { Linear, type Lora } from './layers/linear';
import { ModelConfig } from './model-config';
import { readWeights, writeWeights, type StoredWeight, type WeightDtype } from './weights';

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
const SUFFIX = '.lora_A.weight';

/** What is needed to write an adapter back. */
export interface Adapter {
  readonly config: ModelConfig;
  readonly weights: readonly StoredWeight[];
}

/**
 * Puts the adapter in `directory` on the linear maps that it holds tensors for, and freezes all else of `model`.
 * @throws ModelConfigError if the adapter asks for more than low-rank maps; CheckpointError if it does not fit
 */
export async function addAdapter(
  model: tf.LayersModel,
  architecture: Architecture,
  directory: string,
): Promise<Adapter> {
  const config = await ModelConfig.read(directory, CONFIG);
  const lora = readLora(config);
  const checkpoint = Checkpoint.openFile(path.join(directory, WEIGHTS));
  try {
    const outer = `base_model.model.${architecture.prefix}`;
    const adapted = checkpoint.names
      .filter((name) => name.endsWith(SUFFIX) && name.startsWith(outer))
      .map((name) => name.slice(outer.length, -SUFFIX.length));
    checkNames(checkpoint, adapted, outer, model);
    for (const { layer } of findWeightedLayers(model)) layer.trainable = false;
    for (const layer of model.layers) {
      if (!(layer instanceof CompositeLayer)) continue;
      const own = adapted.filter((map) => map.startsWith(`${layer.name}.`));
      layer.adapt(Object.fromEntries(own.map((map) => [map.slice(layer.name.length + 1), lora])));
    }
    // PEFT's maps are torch's, of outputs by inputs, whatever those beside them are.
    const weights = model.trainableWeights.map((weight) => ({
      weight,
      name: outer + localName(weight),
      transposed: true,
    }));
    readWeights(weights, checkpoint, '');
    return { config, weights };
  } finally {
    checkpoint.close();
  }
}

/** Writes an adapter into `directory`, which is there, with the values of its configuration as they were read. @throws WeightOverflowError, DiskWriteError */
export function saveAdapter({ config, weights }: Adapter, directory: string, dtype: WeightDtype): void {
  writeWeights(weights, path.join(directory, WEIGHTS), dtype);
  config.write(directory, CONFIG);
}

/** @throws ModelConfigError */
function readLora(config: ModelConfig): Lora {
  config.choice('peft_type', ['LORA']);
  config.choice('bias', ['none'], 'none');
  for (const unsupported of ['use_dora', 'use_qalora', 'lora_bias']) {
    if (config.flag(unsupported, false)) config.refuse(unsupported, 'false');
  }
  for (const unsupported of ['rank_pattern', 'alpha_pattern', 'modules_to_save', 'layer_replication']) {
    const value = config.values[unsupported] ?? {};
    if (Object.keys(value).length > 0) config.refuse(unsupported, 'empty');
  }
  const rank = config.size('r');
  const divisor = config.flag('use_rslora', false) ? Math.sqrt(rank) : rank;
  return { rank, scale: config.number('lora_alpha') / divisor };
}

/** @throws CheckpointError if a tensor is not one of a low-rank map beside a linear map of the model */
function checkNames(
  checkpoint: Checkpoint,
  adapted: readonly string[],
  outer: string,
  model: tf.LayersModel,
): void {
  const maps = findWeightedLayers(model).flatMap(({ layer, path }) =>
    layer instanceof Linear ? [path] : [],
  );
  const wanted = new Set(
    adapted
      .filter((map) => maps.includes(map))
      .flatMap((map) => [`${outer}${map}${SUFFIX}`, `${outer}${map}.lora_B.weight`]),
  );
  for (const name of checkpoint.names) {
    if (wanted.has(name)) continue;
    throw new CheckpointError(
      checkpoint.name,
      name,
      `lora_A or lora_B of a linear map under ${outer}, of ${maps.join(', ')}`,
      'no such map',
    );
  }
}
