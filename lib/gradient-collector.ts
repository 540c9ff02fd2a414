/** The engine below the callback: per-example gradients of any backward pass through a model. */
import tf = require('@tensorflow/tfjs');
import { awaitBackground, inBackground } from '../kernels/background';
import type { RowColumns } from '../kernels/row-terms';
import {
  findAttributedLayers,
  type AttributedLayer,
  type AttributedPart,
  type IncludeBias,
} from './capture/attributed-layers';
import { BackwardPass, type FactorsListener } from './capture/backward-pass';
import { describeCoverage, type Coverage } from './capture/coverage';
import { placeTaps } from './capture/taps';
import { DeferredColumns } from './deferred-columns';
import { NoGradientError } from './errors';
import { exampleGradients, type Attribute } from './example-row';
import type { Attention } from './layers/attention-heads';
import { canDefer, type Factors, type LayerProjection } from './layers/factors';
import './layers/standard';
import { factoredProjection } from './normalizers/factored-projection';
import { isFactored, isFixed, type ElementNormalizer, type Normalizer } from './normalizers/normalizer';
import {
  GLOBAL_COLUMN,
  layerProjection,
  projectedShape,
  resolveProjection,
  type ProjectionOptions,
} from './projection';

export interface GradientCollectorOptions extends Partial<ProjectionOptions> {
  /** Paths of the layers to attribute. Default: all that train weights. */
  readonly layers?: readonly string[];
  /** Whether a bias's gradient is part of its layer's, or paths of the layers of which it is. Default: true. */
  readonly includeBias?: IncludeBias;
  /** Splits the gradients of these layers by attention head: each head is a part of its layer, `path.head_0` and so on. */
  readonly attention?: Attention;
  /** Divides gradients by second moments; those that change, as they are when the backward pass and all that surrounds it is done. */
  readonly normalizer?: Normalizer | null;
  /**
   * How the differentiated loss combines the examples' own: under `'mean'` (default, what `model.fit` does)
   * gradients are multiplied by the batch size, so that each is the gradient of its example's own loss.
   */
  readonly lossReduction?: 'mean' | 'sum';
  /**
   * What has a gradient of its own: an example (default), or each of its tokens, that is, positions along the second axis of
   * the layers' inputs. Those of N examples of S tokens are [N S, p, q], and sum to the examples' over the tokens.
   */
  readonly attribute?: Attribute;
}

/**
 * Receives the per-example gradients [N, p, q] of one part of a layer; they are disposed when it returns. Under one projection
 * for all layers it is called with what each part adds to the only column.
 */
export type GradientClosure = (path: string, gradients: tf.Tensor3D) => void;

/**
 * Per-example gradients by path of layer or part, each float32 [N, p, q]; whoever receives them disposes. Under one projection
 * for all layers their sum, by the name of the only column.
 */
export type CollectedGradients = Map<string, tf.Tensor3D>;

interface CaptureOptions {
  readonly closure?: GradientClosure | undefined;
  /** Receives factors in place of gradients. */
  readonly listener?: FactorsListener | undefined;
  readonly anchor?: tf.Scalar | undefined;
  readonly batchSize?: number | undefined;
  /** Of which layers factors are handed over call by call, rather than those of all calls together. */
  readonly eachCall?: ((layer: AttributedLayer) => boolean) | undefined;
  /** Whether the background may still be at work when `end` returns. */
  readonly endsInBackground?: boolean | undefined;
}

/** What surrounds a backward pass; either is called once, `fail` also after an `end` that threw. */
interface Capture<Found> {
  readonly end: <T>(result: T) => { readonly result: T } & Found;
  readonly fail: (error: unknown) => never;
}

/** What a function that ran a backward pass returned, and the gradients of that pass. */
export type Captured<T> = { readonly result: T } & Gradients;

/** What a function that ran a backward pass returned, and what the columns of rows are made of. */
export type CapturedColumns<T> = { readonly result: T } & Columns;

interface Gradients {
  readonly gradients: CollectedGradients;
}
interface Columns {
  readonly columns: RowColumns;
}

/**
 * Captures the per-example gradients of a model's layers, normalised and projected, during backward passes.
 *
 * @example
 * const collector = new GradientCollector(model, { projectionDim: 'exact' });
 * const { loss, gradients } = collector.run(() => lossOf(model.apply(xs, { training: true }), ys));
 * gradients.get('dense_1'); // [N, outputs, inputs + 1]
 */
export class GradientCollector {
  readonly layers: readonly AttributedLayer[];
  /** The layers' gradient matrices, in the order of a row. */
  readonly parts: readonly AttributedPart[];
  readonly projection: ProjectionOptions;
  readonly includeBias: IncludeBias;
  readonly attention: Attention;
  readonly attribute: Attribute;
  private readonly normalizer: Normalizer | null;
  private readonly meanLoss: boolean;
  /** Drawn when a part is first projected. */
  private readonly projections = new Map<AttributedPart, LayerProjection>();

  /** @throws UnsupportedLayerError, UnknownLayerError, AttentionHeadsError, InvalidOptionError */
  constructor(
    private readonly model: tf.LayersModel,
    options: GradientCollectorOptions = {},
  ) {
    this.projection = resolveProjection(options);
    this.includeBias = options.includeBias ?? true;
    this.normalizer = options.normalizer ?? null;
    this.meanLoss = (options.lossReduction ?? 'mean') === 'mean';
    this.attention = options.attention ?? {};
    this.attribute = options.attribute ?? 'examples';
    const { includeBias, attention } = this;
    this.layers = findAttributedLayers(model, { layers: options.layers, includeBias, attention });
    this.parts = this.layers.flatMap(({ parts }) => parts);
  }

  /** How many of the model's trained parameters are attributed, layer by layer, and why the others are not. */
  get coverage(): Coverage {
    return describeCoverage(this.model, this.layers, this.includeBias);
  }

  /** Each part's width in a row, in the order of a row. */
  get columns(): { layer: string; width: number }[] {
    const { projectionTarget, projectionDim } = this.projection;
    if (projectionTarget === 'global') return [{ layer: GLOBAL_COLUMN, width: Number(projectionDim) ** 2 }];
    return this.parts.map(({ path, gradientShape }) => {
      const [p, q] = projectedShape(gradientShape, this.projection);
      return { layer: path, width: p * q };
    });
  }

  /**
   * Differentiates the scalar loss that `body` computes, as far down as the lowest attributed layer, and no
   * weight's gradient with it. Without a closure the gradients of all layers are returned; with one each layer's
   * are handed over as the backward pass completes them. The caller disposes `loss` and `gradients`.
   * @throws NoGradientError if the loss is not a scalar made from the model's output; BatchAxisError
   */
  run(body: () => tf.Scalar, closure?: GradientClosure): { loss: tf.Scalar; gradients: CollectedGradients } {
    const { result: loss, gradients } = this.differentiate(body, { closure });
    return { loss, gradients };
  }

  /**
   * Differentiates as `run` does, and hands over what each part's gradients are made of, from which none are made. The
   * factors are disposed when `listener` returns. The caller disposes the loss.
   * @throws NoGradientError, BatchAxisError
   */
  runFactors(body: () => tf.Scalar, listener: FactorsListener): tf.Scalar {
    return this.differentiate(body, { listener }).result;
  }

  /**
   * Runs `body`, which runs a backward pass of its own, such as `optimizer.minimize`, and captures from that; a body
   * that returns a promise, such as `model.trainOnBatch`, is awaited. Of several backward passes over the same examples
   * the gradients are summed. The caller disposes `gradients`.
   * @throws BatchAxisError, also if the pass is not over `batchSize` examples
   */
  surround<T>(body: () => Promise<T>, batchSize?: number): Promise<Captured<T>>;
  surround<T>(body: () => T, batchSize?: number): Captured<T>;
  surround<T>(body: () => T | Promise<T>, batchSize?: number): Captured<T> | Promise<Captured<T>>;
  surround<T>(body: () => T | Promise<T>, batchSize?: number): Captured<T> | Promise<Captured<T>> {
    return runInside(body, this.capture({ batchSize }));
  }

  /**
   * As `surround` does, but leaves it to whoever writes rows to project the gradients: those of which the addon can, as long as
   * what they are made of does not take up too much memory. Numbers of the others may still be to come from the background, in
   * tensors that hold others until then. The caller disposes the columns.
   */
  surroundLeavingColumns<T>(body: () => T, batchSize: number): CapturedColumns<T>;
  surroundLeavingColumns<T>(
    body: () => T | Promise<T>,
    batchSize: number,
  ): CapturedColumns<T> | Promise<CapturedColumns<T>>;
  surroundLeavingColumns<T>(
    body: () => T | Promise<T>,
    batchSize: number,
  ): CapturedColumns<T> | Promise<CapturedColumns<T>> {
    return runInside(body, this.captureColumns(batchSize));
  }

  /**
   * The layers' gradients of `batchSize` examples side by side: [batchSize, width] row-major, in the order of
   * `columns`. Disposes the gradients.
   */
  async rows(gradients: CollectedGradients, batchSize: number): Promise<Float32Array> {
    const { columns } = this;
    const total = columns.reduce((sum, { width }) => sum + width, 0);
    const rows = new Float32Array(batchSize * total);
    let offset = 0;
    for (const { layer, width } of columns) {
      // A layer that the loss did not depend on has gradient zero.
      const values = await gradients.get(layer)?.data<'float32'>();
      for (let example = 0; values !== undefined && example < batchSize; example++) {
        const first = example * width;
        rows.set(values.subarray(first, first + width), example * total + offset);
      }
      offset += width;
    }
    tf.dispose([...gradients.values()]);
    return rows;
  }

  /** Frees the projection matrices. */
  dispose(): void {
    for (const { left, right, wholeRows, wholeColumns } of this.projections.values()) {
      left.dispose();
      right.dispose();
      tf.dispose([wholeRows ?? [], wholeColumns ?? []]);
    }
    this.projections.clear();
  }

  private differentiate(body: () => tf.Scalar, options: CaptureOptions): Captured<tf.Scalar> {
    const anchor = tf.scalar(0);
    try {
      const { end, fail } = this.capture({ ...options, anchor });
      try {
        return end(valueAndGradient(body, anchor));
      } catch (error) {
        return fail(error);
      }
    } finally {
      anchor.dispose();
    }
  }

  /** Places taps until the returned `end`, or `fail`, is called. */
  private capture(options: CaptureOptions): Capture<Gradients> {
    const { closure, listener, anchor, batchSize, eachCall, endsInBackground } = options;
    const { normalizer } = this;
    const { projectionTarget, projectionDim } = this.projection;
    // A closure gets numbers; whoever gets all gradients gets them at the end, and meanwhile training goes on.
    const background = closure === undefined && projectionTarget === 'module';
    const collected: CollectedGradients = new Map();
    const onGradients = (path: string, gradients: tf.Tensor3D) => {
      const earlier = collected.get(path);
      if (earlier !== undefined) awaitBackground();
      if (closure !== undefined) closure(path, gradients);
      else collected.set(path, earlier === undefined ? gradients : tf.keep(tf.add(earlier, gradients)));
      if (closure !== undefined || earlier !== undefined) tf.dispose([gradients, earlier]);
    };
    const pass = new BackwardPass({
      onFactors:
        listener ??
        ((part, factors, multiplier) => {
          const gradients = () => this.gradientsOf(part, factors, multiplier);
          if (projectionTarget === 'module')
            onGradients(part.path, tf.keep(background ? inBackground(gradients) : gradients()));
          else onGradients(GLOBAL_COLUMN, tf.keep(toSquare(gradients(), Number(projectionDim))));
        }),
      deferred: normalizer !== null && !isFixed(normalizer),
      eachCall,
      meanLoss: this.meanLoss,
      batchSize,
    });
    const removeTaps = placeTaps(this.layers, pass, anchor);
    return {
      end: (result) => {
        removeTaps();
        pass.finish();
        pass.dispose();
        if (endsInBackground !== true) awaitBackground();
        return { result, gradients: collected };
      },
      fail: (error) => {
        removeTaps();
        pass.dispose();
        tf.dispose([...collected.values()]);
        throw error;
      },
    };
  }

  /** As `capture` does. The background may still be at work when `end` returns. */
  private captureColumns(batchSize: number): Capture<Columns> {
    const { projectionTarget } = this.projection;
    const deferred = (part: AttributedPart) => {
      const projection = this.projectionOf(part);
      const defers = this.elementNormalizer === null && this.attribute === 'examples' && canDefer(projection);
      return defers ? projection : null;
    };
    const deferredColumns = new DeferredColumns((part) => ({
      column: projectionTarget === 'global' ? GLOBAL_COLUMN : part.path,
      deferred: deferred(part),
      gradients: (factors, multiplier) => this.gradientsOf(part, factors, multiplier),
    }));
    const { end, fail } = this.capture({
      listener: (part, factors, multiplier) => {
        deferredColumns.add(part, factors, multiplier);
      },
      batchSize,
      eachCall: ({ parts }) => parts.every((part) => deferred(part) !== null),
      endsInBackground: true,
    });
    return {
      end: (result) => ({ result: end(result).result, columns: deferredColumns.columns }),
      fail: (error) => {
        deferredColumns.dispose();
        return fail(error);
      },
    };
  }

  /** The projected gradients of one part, from the factors of all its calls. The caller disposes. */
  private gradientsOf(part: AttributedPart, factors: readonly Factors[], multiplier: number): tf.Tensor3D {
    const { elementNormalizer, attribute } = this;
    const projection = this.projectionOf(part);
    return exampleGradients(factors, part, projection, elementNormalizer, multiplier, attribute);
  }

  /** What divides gradients before they are projected, if anything does. */
  private get elementNormalizer(): ElementNormalizer | null {
    const { normalizer } = this;
    return normalizer === null || isFactored(normalizer) ? null : normalizer;
  }

  private projectionOf(part: AttributedPart): LayerProjection {
    const { normalizer } = this;
    const known = this.projections.get(part);
    if (known !== undefined) return known;
    let projection = layerProjection(part, this.projection, this.elementNormalizer !== null);
    if (normalizer !== null && isFactored(normalizer)) {
      const drawn = projection;
      tf.tidy(() => {
        projection = factoredProjection(drawn, normalizer.factoredMoments(part));
      });
    }
    this.projections.set(part, projection);
    return projection;
  }
}

/** What `body` returns or resolves to, and the gradients of the backward pass in it. */
function runInside<T, Found>(
  body: () => T | Promise<T>,
  { end, fail }: Capture<Found>,
): ({ readonly result: T } & Found) | Promise<{ readonly result: T } & Found> {
  try {
    const result = body();
    return result instanceof Promise ? result.then(end<T>).catch(fail) : end(result);
  } catch (error) {
    return fail(error);
  }
}

/** [N, p², 1], which a vector's gradients are projected to, or [N, p, p], as [N, p, p]. */
function toSquare(gradients: tf.Tensor3D, p: number): tf.Tensor3D {
  return gradients.reshape([-1, p, p]);
}

/** The loss, and as a side effect the backward pass of it that ends at `anchor`. */
function valueAndGradient(body: () => tf.Scalar, anchor: tf.Scalar): tf.Scalar {
  return tf.tidy(() => {
    let loss: tf.Scalar | undefined;
    try {
      return tf.valueAndGrad(() => (loss = body()))(anchor).value;
    } catch (cause) {
      // tfjs says only that y does not depend on x, of which the caller has never heard.
      if (loss !== undefined && String(cause).includes('Cannot compute gradient of y=f(x)')) {
        throw new NoGradientError('the loss does not depend on any attributed layer', { cause });
      }
      throw cause;
    }
  });
}
