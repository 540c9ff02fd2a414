/** What a few examples show of a run's gradients: kept with the run, so that it can say how far it is to be trusted. */
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import type { Attributor } from '../attributor';
import { exampleOf, type Batch } from '../compiled-model';
import { CorruptRecordError } from '../errors';
import { checkGradients, type GradientCheck } from '../gradient-check';
import { relativeError } from '../relative-error';
import { isMap, readRecord, writeRecord } from '../store/record-file';

const RECORD = { kind: 'run check', version: 1 };

export interface RunCheck {
  /** How many examples were looked at. */
  readonly examples: number;
  /** Whole gradients of each part, against finite differences and against batches of one. */
  readonly gradients: readonly GradientCheck[];
  /** How far an example's row is from its row in a batch of its own, relative to the row's largest number. */
  readonly batchInvariance: number;
}

/** Checks the gradients of the run's model on `batch`. @throws ModelMismatchError, UncompiledModelError, EmptyQueryError */
export async function checkRun(
  attributor: Attributor,
  model: tf.LayersModel,
  batch: Batch,
): Promise<RunCheck> {
  const { layers, includeBias, attention } = attributor.run.manifest;
  const together = await attributor.queryRows(model, batch);
  const differences: number[] = [];
  for (const [i, row] of together.entries()) {
    const alone = exampleOf(batch, i);
    const [own = new Float32Array()] = await attributor.queryRows(model, alone);
    differences.push(relativeError(row, own));
    tf.dispose([alone.xs, alone.ys]);
  }
  return {
    examples: together.length,
    gradients: checkGradients(model, batch, {
      layers: layers.map((layer) => layer.path),
      includeBias,
      attention,
    }),
    batchInvariance: Math.max(...differences),
  };
}

/** @throws DiskWriteError */
export function writeRunCheck(run: string, check: RunCheck): void {
  writeRecord(fileOf(run), RECORD, check);
}

/** The check kept with a run, or undefined if none is. @throws CorruptRecordError, UnsupportedVersionError */
export function readRunCheck(run: string): RunCheck | undefined {
  const file = fileOf(run);
  try {
    const { payload } = readRecord(file, RECORD);
    if (isMap(payload) && Array.isArray(payload.gradients)) return payload as unknown as RunCheck;
    throw new CorruptRecordError(file, 'payload', 'a run check', typeof payload);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function fileOf(run: string): string {
  return path.join(run, 'check.msgpack');
}
