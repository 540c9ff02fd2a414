/** Errors of influence over training. */
import { BergsonError } from './bergson-error';

/** Thrown when influence over training is asked of a run that did not record its learning rates. */
export class LearningRateError extends BergsonError {
  constructor(
    readonly run: string,
    readonly reason: string,
  ) {
    super(
      `${run} does not say how far training moved: ${reason}; train with \`trackOrder: true\` and one of tf.train's ` +
        'optimizers, or give `rates` of your own to `tracInCheckpoints`',
    );
  }
}
