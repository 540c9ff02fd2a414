/** The random projection of a model's gradients: how large each layer's becomes, and with which matrices. */
import { createHash } from 'node:crypto';
import { ProjectionMatrix } from '../kernels/projection-matrix';
import type { ProjectionType } from '../kernels/random-matrix';
import { InvalidOptionError } from './errors';
import type { AttributedPart } from './capture/attributed-layers';
import type { LayerProjection } from './layers/factors';

export interface ProjectionOptions {
  /**
   * The larger sides of a layer's gradient [O, I] are projected to this many; a side no larger is kept exactly.
   * A layer thus stores at most its square. `'exact'` projects nothing.
   */
  readonly projectionDim: number | 'exact';
  readonly projectionType: ProjectionType;
  /** An unsigned 32-bit integer. */
  readonly seed: number;
}

/** Fills in the defaults: 16, Rademacher, seed 0. @throws InvalidOptionError if a value is out of range. */
export function resolveProjection(options: Partial<ProjectionOptions>): ProjectionOptions {
  const { projectionDim = 16, projectionType = 'rademacher', seed = 0 } = options;
  if (projectionDim !== 'exact' && !(Number.isInteger(projectionDim) && projectionDim > 0)) {
    throw new InvalidOptionError('projectionDim', projectionDim, "a positive integer or 'exact'");
  }
  if (!['rademacher', 'normal'].includes(projectionType)) {
    throw new InvalidOptionError('projectionType', projectionType, "'rademacher' or 'normal'");
  }
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw new InvalidOptionError('seed', seed, 'an integer from 0 to 4294967295');
  }
  return { projectionDim, projectionType, seed };
}

/** [p, q] of a layer's projected gradient. A vector, [O, 1], is projected on its one side to the square. */
export function projectedShape(
  [outputs, inputs]: readonly [outputs: number, inputs: number],
  { projectionDim }: ProjectionOptions,
): [number, number] {
  if (projectionDim === 'exact') return [outputs, inputs];
  if (inputs === 1) return [Math.min(projectionDim ** 2, outputs), 1];
  return [Math.min(projectionDim, outputs), Math.min(projectionDim, inputs)];
}

/** The matrices of one part; the same for the same path, options and shape in every process. */
export function layerProjection(
  { path, gradientShape }: Pick<AttributedPart, 'path' | 'gradientShape'>,
  options: ProjectionOptions,
): LayerProjection {
  const digest = createHash('sha256').update(path).digest();
  const stream = [digest.readUInt32LE(0), digest.readUInt32LE(4)] as const;
  const [outputs, inputs] = gradientShape;
  const [p, q] = projectedShape(gradientShape, options);
  const key = { type: options.projectionType, seed: options.seed, stream };
  return {
    left: new ProjectionMatrix({ ...key, side: 0 }, p, outputs),
    right: new ProjectionMatrix({ ...key, side: 1 }, q, inputs),
    wholeRows: null,
    wholeColumns: null,
  };
}
