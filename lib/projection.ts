/** The random projection of a model's gradients: how large each layer's becomes, and with which matrices. */
import { createHash } from 'node:crypto';
import tf = require('@tensorflow/tfjs');
import type { BergsonMatrixKey } from '../kernels/bergson-matrix';
import { ProjectionMatrix } from '../kernels/projection-matrix';
import type { ProjectionType, RandomMatrixKey } from '../kernels/random-matrix';
import { InvalidOptionError } from './errors';
import type { AttributedPart } from './capture/attributed-layers';
import type { LayerProjection } from './layers/factors';

export interface ProjectionOptions {
  /**
   * The larger sides of a layer's gradient [O, I] are projected to this many; a side no larger is kept exactly.
   * A layer thus stores at most its square. `'exact'` projects nothing.
   */
  readonly projectionDim: number | 'exact';
  /**
   * `'rademacher'` and `'normal'` entries follow from `seed`, path, row and column. `'bergson'` ones are those of Bergson's own
   * Rademacher matrices, which follow from the layer's path: both sides of every matrix are projected, however small.
   */
  readonly projectionType: ProjectionType | 'bergson';
  /** An unsigned 32-bit integer. */
  readonly seed: number;
  /**
   * `'module'`: each layer, or part of one, has columns of its own. `'global'`: a row is `projectionDim` squared numbers in all,
   * the sum of the layers' projected gradients, each by two matrices of its own to the same shape, however small it is.
   */
  readonly projectionTarget: 'module' | 'global';
}

/** The only column of rows of which all layers share one projection; Bergson's name for it. */
export const GLOBAL_COLUMN = 'gradients';

/** Fills in the defaults: 16, Rademacher, seed 0, each module by itself. @throws InvalidOptionError if a value is out of range. */
export function resolveProjection(options: Partial<ProjectionOptions>): ProjectionOptions {
  const {
    projectionDim = 16,
    projectionType = 'rademacher',
    seed = 0,
    projectionTarget = 'module',
  } = options;
  if (projectionDim !== 'exact' && !(Number.isInteger(projectionDim) && projectionDim > 0)) {
    throw new InvalidOptionError('projectionDim', projectionDim, "a positive integer or 'exact'");
  }
  if (!['rademacher', 'normal', 'bergson'].includes(projectionType)) {
    throw new InvalidOptionError('projectionType', projectionType, "'rademacher', 'normal' or 'bergson'");
  }
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw new InvalidOptionError('seed', seed, 'an integer from 0 to 4294967295');
  }
  if (projectionType === 'bergson' && seed !== 0) {
    throw new InvalidOptionError(
      'seed',
      seed,
      "left out where `projectionType` is 'bergson': names are its seeds",
    );
  }
  if (!['module', 'global'].includes(projectionTarget)) {
    throw new InvalidOptionError('projectionTarget', projectionTarget, "'module' or 'global'");
  }
  if (projectionTarget === 'global' && (projectionDim === 'exact' || projectionType === 'bergson')) {
    const found = projectionDim === 'exact' ? "where `projectionDim` is 'exact'" : "with Bergson's matrices";
    throw new InvalidOptionError('projectionTarget', projectionTarget, `'module' ${found}`);
  }
  return { projectionDim, projectionType, seed, projectionTarget };
}

/**
 * [p, q] of a layer's projected gradient. A vector, [O, 1], is projected on its one side to the square. Under one projection
 * for all layers it is the square for all.
 */
export function projectedShape(
  [outputs, inputs]: readonly [outputs: number, inputs: number],
  { projectionDim, projectionType, projectionTarget }: ProjectionOptions,
): [number, number] {
  if (projectionDim === 'exact') return [outputs, inputs];
  if (projectionTarget === 'global')
    return inputs === 1 ? [projectionDim ** 2, 1] : [projectionDim, projectionDim];
  if (inputs === 1) return [Math.min(projectionDim ** 2, outputs), 1];
  if (projectionType === 'bergson') return [projectionDim, projectionDim];
  return [Math.min(projectionDim, outputs), Math.min(projectionDim, inputs)];
}

type MatrixKey = RandomMatrixKey | BergsonMatrixKey;
type ProjectedPart = Pick<AttributedPart, 'path' | 'gradientShape'> &
  Partial<Pick<AttributedPart, 'head' | 'weights' | 'asKernel'>>;

/**
 * The matrices of one part; the same for the same path, options and shape in every process. `dividesElements` says
 * whether a normalizer divides each element of its gradients, on which Bergson's choice of matrices depends.
 */
export function layerProjection(
  part: ProjectedPart,
  options: ProjectionOptions,
  dividesElements = false,
): LayerProjection {
  const [outputs, inputs] = part.gradientShape;
  const [p, q] = projectedShape(part.gradientShape, options);
  const [left, right] = matrixKeys(part, options, dividesElements);
  const isGlobal = options.projectionTarget === 'global';
  return {
    // Identities of several layers would add up what has nothing to do with one another.
    left: new ProjectionMatrix(left, p, outputs, { drawn: isGlobal }),
    right: new ProjectionMatrix(right, q, inputs, { drawn: isGlobal && inputs > 1 }),
    wholeRows: null,
    wholeColumns: null,
  };
}

function matrixKeys(
  part: ProjectedPart,
  { projectionDim, projectionType, seed }: ProjectionOptions,
  dividesElements: boolean,
): [MatrixKey, MatrixKey] {
  const { path, gradientShape } = part;
  const [outputs, inputs] = gradientShape;
  const digest = createHash('sha256').update(path).digest();
  const stream = [digest.readUInt32LE(0), digest.readUInt32LE(4)] as const;
  if (projectionType !== 'bergson') {
    const key = { type: projectionType, seed, stream };
    return [
      { ...key, side: 0 },
      { ...key, side: 1 },
    ];
  }
  const left: MatrixKey = { type: 'bergson', name: `${path}/left` };
  const right: MatrixKey = { type: 'bergson', name: `${rightOwner(part, dividesElements)}/right` };
  const kept = { type: 'rademacher', seed, stream } as const;
  if (projectionDim === 'exact')
    return [
      { ...kept, side: 0 },
      { ...kept, side: 1 },
    ];
  // Bergson has no vectors: those are projected on their one side, or kept.
  if (inputs > 1) return [left, right];
  return [outputs > projectionDim ** 2 ? left : { ...kept, side: 0 }, { ...kept, side: 1 }];
}

/** Whose right matrix a part has: an attention head's is its map's, unless its gradients are formed or have a bias. */
function rightOwner({ path, head, weights, asKernel }: ProjectedPart, dividesElements: boolean): string {
  if (head === undefined || dividesElements) return path;
  const hasBias = tf.tidy(() => asKernel?.([...(weights ?? [])]).bias != null);
  return hasBias ? path : path.replace(/\.head_\d+$/, '');
}
