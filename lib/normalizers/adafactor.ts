/** Second moments kept as their means over rows and over columns. Shazeer & Stern, 2018, "Adafactor". */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from '../capture/attributed-layers';
import type { SafetensorsTensor } from '../store/safetensors';
import { momentsInMemory, readMoments, type MomentSource } from './moment-source';
import type { ElementNormalizer, FactoredMoments, FactoredNormalizer } from './normalizer';

/** Where the two kinds of means of a part are in a file. */
export function factorNames(path: string): { rows: string; columns: string } {
  return { rows: `${path}/rows`, columns: `${path}/columns` };
}

export class AdafactorNormalizer implements FactoredNormalizer {
  readonly name = 'adafactor';

  /** r [O] and c [I] of each part are what `source` holds under the names that `factorNames` gives. */
  constructor(private readonly source: MomentSource) {}

  /**
   * The means that a normalizer's second moments have over rows and columns, of these parts as they are now.
   * @throws NormalizerMismatchError, OptimizerStateError
   */
  static of(normalizer: ElementNormalizer, parts: readonly AttributedPart[]): AdafactorNormalizer {
    const tensors = new Map<string, SafetensorsTensor>();
    for (const part of parts) {
      const names = factorNames(part.path);
      tf.tidy(() => {
        const moments = normalizer.secondMoments(part);
        tensors.set(names.rows, vector(moments.mean(1)));
        tensors.set(names.columns, vector(moments.mean(0)));
      });
    }
    return new AdafactorNormalizer(momentsInMemory(tensors));
  }

  /** @throws NormalizerMismatchError */
  factoredMoments({ path, gradientShape: [outputs, inputs] }: AttributedPart): FactoredMoments {
    const names = factorNames(path);
    const rows = readMoments(this.source, names.rows, [outputs]);
    const columns = readMoments(this.source, names.columns, [inputs]);
    return { rows: tf.tensor1d(rows), columns: tf.tensor1d(columns) };
  }

  /** Closes the file that the moments are in. */
  dispose(): void {
    this.source.close();
  }
}

function vector(values: tf.Tensor): SafetensorsTensor {
  return { dtype: 'F32', shape: [values.size], data: values.dataSync<'float32'>().slice() };
}
