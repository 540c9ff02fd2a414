/** Saves and loads models as tfjs lays them out in a directory, on any backend: model.json and weights.bin. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { guardWrite, writeFileAtomic } from '../store/disk';

const TOPOLOGY = 'model.json';
const WEIGHTS = 'weights.bin';

/** Saves `model` into `directory`; `tf.loadLayersModel` of tfjs-node reads it too. @throws DiskWriteError */
export async function saveModel(model: tf.LayersModel, directory: string): Promise<void> {
  guardWrite(directory, 0, () => fs.mkdirSync(directory, { recursive: true }));
  await model.save(
    tf.io.withSaveHandler((artifacts) => {
      const weights = Buffer.from(tf.io.CompositeArrayBuffer.join(artifacts.weightData));
      writeFileAtomic(path.join(directory, WEIGHTS), [weights]);
      const { modelTopology, format, generatedBy, userDefinedMetadata, weightSpecs = [] } = artifacts;
      const weightsManifest = [{ paths: [WEIGHTS], weights: weightSpecs }];
      const topology = { format, generatedBy, modelTopology, userDefinedMetadata, weightsManifest };
      writeFileAtomic(path.join(directory, TOPOLOGY), [Buffer.from(JSON.stringify(topology))]);
      return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) });
    }),
  );
}

/** Whether `directory` holds a model that was saved to its end. */
export function hasModel(directory: string): boolean {
  return fs.existsSync(path.join(directory, TOPOLOGY));
}

/** Loads what `saveModel` saved. Custom layer classes must be registered with tfjs first. */
export function loadModel(directory: string): Promise<tf.LayersModel> {
  const topology = JSON.parse(fs.readFileSync(path.join(directory, TOPOLOGY), 'utf8')) as tf.io.ModelJSON;
  const load = () =>
    tf.io.getModelArtifactsForJSON(topology, (manifest) => {
      const { buffer, byteOffset, byteLength } = fs.readFileSync(path.join(directory, WEIGHTS));
      const specs = manifest.flatMap(({ weights }) => weights);
      return Promise.resolve([specs, buffer.slice(byteOffset, byteOffset + byteLength)]);
    });
  return tf.loadLayersModel({ load });
}

/** sha256 of all weights' values in the model's order: what tells one state of a model from another. */
export function digestWeights(model: tf.LayersModel): string {
  const hash = createHash('sha256');
  for (const weight of model.getWeights()) {
    const { buffer, byteOffset, byteLength } = weight.dataSync();
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest('hex');
}
