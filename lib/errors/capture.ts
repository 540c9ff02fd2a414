/** Errors of capturing gradients. */
import { BergsonError, quote } from './bergson-error';

/** Thrown when layers that train weights have outputs that do not lie by example, and `layers` does not leave them out. */
export class UnsupportedLayerError extends BergsonError {
  constructor(
    readonly layers: readonly {
      readonly path: string;
      readonly className: string;
      readonly outputShape: readonly (number | null)[];
    }[],
  ) {
    const list = layers.map(
      ({ path, className, outputShape }) => `\`${path}\` (${className}), [${outputShape.join(', ')}]`,
    );
    super(
      `these layers' outputs do not have the batch as their first axis, so examples cannot be told apart there: ` +
        `${list.join('; ')}; keep examples apart in them, or pass \`layers\` to leave them out`,
    );
  }
}

/** Thrown when an option names something that is not a layer with trained weights. */
export class UnknownLayerError extends BergsonError {
  constructor(
    readonly option: string,
    readonly unknown: readonly string[],
    readonly known: readonly string[],
  ) {
    super(
      `\`${option}\` names ${quote(unknown)}, which match no trained layer; the model has ${quote(known)}`,
    );
  }
}

/** Thrown when a layer's gradient cannot be split by attention head as `attention` asks. */
export class AttentionHeadsError extends BergsonError {
  constructor(
    readonly path: string,
    readonly className: string,
    readonly heads: { readonly numHeads: number; readonly headSize: number; readonly headDim: number },
    readonly reason: string,
  ) {
    const { numHeads, headSize, headDim } = heads;
    super(
      `layer \`${path}\` (${className}) cannot be split into ${numHeads} heads of ${headSize} along axis ${headDim}: ${reason}`,
    );
  }
}

/** Thrown when a layer without an adapter does not do for each example alone what it does for a batch. */
export class FallbackError extends BergsonError {
  constructor(
    readonly path: string,
    readonly className: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(
      `layer \`${path}\` (${className}), which has no adapter of its own, ${reason}; ` +
        `call \`registerLayerGradient\` with an adapter, or pass \`layers\` to leave it out`,
      options,
    );
  }
}

/** Thrown when a layer has no gradient for each token. */
export class TokenGradientError extends BergsonError {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(
      `layer \`${path}\` has no gradient for each token: it ${reason}; pass \`layers\` to leave it out, or attribute examples`,
    );
  }
}

/** Thrown when a layer cannot be tapped: it was called in a way its adapter does not follow. */
export class UntappableLayerError extends BergsonError {
  constructor(
    readonly path: string,
    readonly className: string,
    readonly reason: string,
  ) {
    super(
      `layer \`${path}\` (${className}) ${reason}, so its per-example gradients cannot be captured; ` +
        `pass \`layers\` to leave it out`,
    );
  }
}

/** Thrown when the first axis of a layer's output is not the batch, so that its rows are not examples. */
export class BatchAxisError extends BergsonError {
  constructor(
    readonly path: string,
    readonly shape: readonly number[],
    readonly batchSize: number,
  ) {
    super(
      `layer \`${path}\` gave an output of shape [${shape.join(', ')}] in a batch of ${batchSize} examples; ` +
        `its first axis must be the batch: keep examples apart before this layer, or pass \`layers\` to leave it out`,
    );
  }
}

/** Thrown when a loss has no gradient with respect to any attributed layer. */
export class NoGradientError extends BergsonError {
  constructor(
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(
      `no per-example gradient was captured: ${reason}; compute a scalar loss from the model's output, inside the function passed`,
      options,
    );
  }
}

/** Thrown when an option's value is outside what it may be. */
export class InvalidOptionError extends BergsonError {
  constructor(
    readonly option: string,
    readonly value: unknown,
    readonly allowed: string,
  ) {
    super(`\`${option}\` is ${String(value)}; it must be ${allowed}`);
  }
}

/** Thrown when an optimizer's second moments cannot be read. */
export class OptimizerStateError extends BergsonError {
  constructor(readonly reason: string) {
    super(
      `the optimizer's state cannot be used: ${reason}; train with another optimizer, or leave \`useOptimizerState\` and \`normalizer\` out`,
    );
  }
}

/** Thrown when a per-example gradient holds a value that is not finite. */
export class NonFiniteGradientError extends BergsonError {
  constructor(
    readonly layer: string,
    readonly step: number,
    readonly example: number,
    readonly value: number,
    options?: { cause?: unknown },
  ) {
    super(
      `the gradient of layer \`${layer}\` for example ${example} is ${value} at step ${step}; ` +
        `look at that example's input and at the learning rate: nothing of this step was stored`,
      options,
    );
  }
}

/** Thrown when a callback is used in training that does not report example ids. */
export class UnpreparedModelError extends BergsonError {
  constructor(readonly reason: string) {
    super(
      `${reason}; call \`prepareForGradientCollection(model)\` once the model has its last layer, ` +
        `and train with \`model.fit\` or \`model.fitDataset\``,
    );
  }
}

/** Thrown when it cannot be told which examples a batch holds. */
export class ExampleIdsError extends BergsonError {
  constructor(readonly reason: string) {
    super(
      `${reason}; number the examples before they are shuffled, batched or repeated, ` +
        `\`withExampleIds(dataset).shuffle(…).batch(…)\`, and keep \`exampleId\` in what you map them to`,
    );
  }
}

/** Thrown when the methods of a recorder are called in an order that makes no run. */
export class RecordingOrderError extends BergsonError {
  constructor(
    readonly method: string,
    readonly state: string,
    readonly next: string,
  ) {
    super(`\`${method}\` was called ${state}; ${next}`);
  }
}

/** Thrown when a model's own loss is needed and the model is not compiled. */
export class UncompiledModelError extends BergsonError {
  constructor() {
    super(
      'the model is not compiled, so it has no loss of its own; call `model.compile`, or pass a function that computes one',
    );
  }
}
