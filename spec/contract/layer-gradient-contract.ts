/** What every layer adapter must do, run over each by its spec. */
import tf = require('@tensorflow/tfjs');
import { projectGradient } from '../../kernels/project';
import type { AttributedPart } from '../../lib/capture/attributed-layers';
import { GradientCollector, type GradientCollectorOptions } from '../../lib/gradient-collector';
import type { Attention } from '../../lib/layers/attention-heads';
import { squaredGradients, squaredSums } from '../../lib/normalizers/squared-gradients';
import { layerProjection, resolveProjection } from '../../lib/projection';
import { describeOnProcessor } from '../kernels/native-operations';
import { batchGradients, batchOfOneGradients, type BatchLoss } from '../reference/batch-of-one';
import { differenceError } from '../reference/finite-differences';
import { expectUnchanged, relativeError, ROUNDING, TRUNCATION } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';
import { writtenRows } from '../support/written-rows';

const directory = temporaryDirectory();

export interface LayerGradientCase {
  readonly name: string;
  /** A model that ends in any real-valued output [N, ...] and holds the layers under test. */
  readonly build: () => tf.LayersModel;
  /** Whether tfjs cannot differentiate by this layer's weights at all, so that only finite differences can tell. */
  readonly untrainable?: boolean;
  /** Whether layers run as in training. Default: true. */
  readonly training?: boolean;
  /** Layers whose gradients are split by head. */
  readonly attention?: Attention;
  /** Whether examples meet in the model, so that none is what it is alone. */
  readonly mixesExamples?: boolean;
  /** Whether tfjs's wasm kernels run this layer or differentiate it wrongly, so that there is nothing to compare with. */
  readonly wrongOnWasm?: boolean;
  /** `batchSize` random inputs of that model. */
  readonly inputs: (batchSize: number) => tf.Tensor;
}

/** By path: of each example, the gradient flattened. */
type Values = ReadonlyMap<string, number[][]>;

/** Weights each example and each output differently, so that nothing cancels and no two gradients are alike. */
function weightedLoss(training: boolean): BatchLoss {
  return (model, [xs, sampleWeights]) => {
    const outputs = model.apply(xs as tf.Tensor, { training }) as tf.Tensor;
    const signs = tf.randomUniform(outputs.shape.slice(1), -2, 2, 'float32', 13);
    const losses = outputs.mul(signs).add(0.5).square().reshape([outputs.shape[0], -1]).mean(1);
    return losses.mul(sampleWeights as tf.Tensor).mean();
  };
}

/** A weight's random values; a variance's are positive. */
function randomWeight({ shape, originalName }: tf.LayerVariable, seed: number): tf.Tensor {
  const values = tf.randomNormal(shape as number[], 0.1, 0.5, 'float32', seed);
  return originalName.endsWith('variance') ? values.abs().add(0.5) : values;
}

export function describeLayerGradient(className: string, cases: readonly LayerGradientCase[]): void {
  describe.each(cases)(`${className}: $name`, (layerCase) => {
    const { build, inputs, untrainable = false, mixesExamples = false, attention } = layerCase;
    const loss = weightedLoss(layerCase.training ?? true);
    const isIncomparable = () => (layerCase.wrongOnWasm ?? false) && tf.getBackend() === 'wasm';
    let model: tf.LayersModel;
    beforeAll(() => {
      model = build();
      tf.tidy(() => {
        model.setWeights(model.weights.map((weight, i) => randomWeight(weight, i + 1)));
      });
    });
    afterAll(() => {
      model.dispose();
    });

    describe.each([1, 5])('in a batch of %i', (batchSize) => {
      let batch: tf.Tensor[];
      beforeAll(() => {
        batch = [inputs(batchSize), tf.randomUniform([batchSize], 0.2, 2, 'float32', 7)];
      });
      afterAll(() => {
        tf.dispose(batch);
      });

      const collect = (options: GradientCollectorOptions) => {
        const collector = new GradientCollector(model, { ...options, attention });
        const { loss: value, gradients } = collector.run(() => loss(model, batch));
        const values: Values = new Map(
          [...gradients].map(([path, tensor]) => [path, tensor.arraySync().map(flat)]),
        );
        tf.dispose([value, [...gradients.values()]]);
        collector.dispose();
        return { parts: collector.parts, values };
      };

      let exact: Values | undefined;
      /** The gradients themselves, computed once. */
      const exactValues = () => (exact ??= collect({ projectionDim: 'exact' }).values);

      const whereTrainable = untrainable ? it.failing : it;

      if (!mixesExamples)
        whereTrainable.each([true, false])('equals a batch-of-one loop (includeBias %s)', (includeBias) => {
          if (!untrainable && isIncomparable()) return;
          const { parts, values } = collect({ projectionDim: 'exact', includeBias });
          const expected = batchOfOneGradients(model, parts, loss, batch);
          expect(parts.length).toBeGreaterThan(0);
          for (const { path } of parts) {
            const oracle = expected.get(path) ?? [];
            expect(oracle).toHaveLength(batchSize);
            oracle.forEach((gradient, example) => {
              expect(relativeError(values.get(path)?.[example] ?? [], gradient)).toBeLessThan(ROUNDING);
            });
          }
        });

      whereTrainable('sums to the gradient tfjs computes for the batch', () => {
        if (!untrainable && isIncomparable()) return;
        const { parts, values } = collect({ projectionDim: 'exact', lossReduction: 'sum' });
        const expected = batchGradients(model, parts, loss, batch);
        for (const [path, gradient] of expected) {
          const sum = gradient.map((_, i) =>
            (values.get(path) ?? []).reduce((total, row) => total + (row[i] ?? NaN), 0),
          );
          expect(relativeError(sum, gradient)).toBeLessThan(ROUNDING);
        }
      });

      /** Compares with the exact gradients, put through `normalize` and then projected by plain products. */
      const expectProjected = (
        options: GradientCollectorOptions,
        normalize: (gradients: tf.Tensor3D, part: AttributedPart) => tf.Tensor3D = (gradients) => gradients,
      ) => {
        const { parts, values } = collect(options);
        const exact = collect({ projectionDim: 'exact' }).values;
        for (const part of parts) {
          const { left, right } = layerProjection(part, resolveProjection(options));
          const expected = tf.tidy(() => {
            const shape: [number, number, number] = [batchSize, ...part.gradientShape];
            const gradients = tf.tensor3d((exact.get(part.path) ?? []).flat(), shape);
            return projectGradient(normalize(gradients, part), left, right).arraySync().map(flat);
          });
          left.dispose();
          right.dispose();
          expect(relativeError((values.get(part.path) ?? []).flat(), expected.flat())).toBeLessThan(ROUNDING);
        }
      };

      it.each(['rademacher', 'normal'] as const)('projects to L G Rᵀ (%s)', (projectionType) => {
        expectProjected({ projectionDim: 2, projectionType, seed: 5 });
      });

      if (!untrainable)
        describeOnProcessor('what it leaves to rows', () => {
          it.each([2, 'exact'] as const)('is made into the same there (%s)', (projectionDim) => {
            const options = { projectionDim, seed: 5, attention };
            const collector = new GradientCollector(model, options);
            const train = () => tf.variableGrads(() => loss(model, batch));
            const { result, columns } = collector.surroundLeavingColumns(train, batchSize);
            tf.dispose([result.value, Object.values(result.grads)]);
            const rows = writtenRows(columns, collector.columns, batchSize, directory);
            const { values } = collect(options);
            const expected = Array.from({ length: batchSize }, (_, example) =>
              collector.columns.flatMap(({ layer }) => values.get(layer)?.[example] ?? []),
            );
            collector.dispose();
            expect(relativeError(Array.from(rows), expected.flat())).toBeLessThan(ROUNDING);
          });
        });

      it.each(['laid out', 'by weight'])('divides each element before projecting, moments %s', (kept) => {
        const [epsilon, correction] = [0.1, 1.7];
        const ofWeights = ({ weights }: AttributedPart) =>
          weights.map(({ shape }, i) => tf.randomUniform(shape, 0.5, 3, 'float32', 11 + i));
        const secondMoments = (part: AttributedPart) =>
          tf.tidy(() => part.asMatrix(ofWeights(part)).mul<tf.Tensor2D>(correction));
        const kernelMoments = (part: AttributedPart) =>
          part.asKernel === undefined ? null : { ...part.asKernel(ofWeights(part)), correction };
        const plain = { name: 'spec', epsilon, secondMoments };
        const normalizer = kept === 'by weight' ? { ...plain, kernelMoments } : plain;
        expectProjected({ projectionDim: 2, seed: 5, normalizer }, (gradients, part) =>
          gradients.div(secondMoments(part).sqrt().add(epsilon)),
        );
      });

      it.each([2, 'exact'] as const)(
        'divides by factored moments without forming gradients (%s)',
        (projectionDim) => {
          const factoredMoments = ({ gradientShape: [outputs, inputs] }: AttributedPart) => ({
            rows: tf.randomUniform<tf.Rank.R1>([outputs], 0.5, 3, 'float32', 31),
            columns: tf.randomUniform<tf.Rank.R1>([inputs], 0.5, 3, 'float32', 37),
          });
          const normalizer = { name: 'spec', factoredMoments };
          expectProjected({ projectionDim, seed: 5, normalizer }, (gradients, part) => {
            const { rows, columns } = factoredMoments(part);
            return gradients.div(rows.expandDims(1).mul(columns).div(rows.mean()).sqrt());
          });
        },
      );

      it('sums squares of gradients by row, by column and by weight', () => {
        const exact = exactValues();
        const collector = new GradientCollector(model, { attention });
        const found = new Map<string, number[][]>();
        const value = collector.runFactors(
          () => loss(model, batch),
          ({ path, gradientShape }, factors, multiplier) => {
            const sums = tf.tidy(() => {
              const { rows, columns } = squaredSums(factors, gradientShape);
              return [rows, columns, squaredGradients(factors, gradientShape)].map((each) =>
                Array.from(each.mul(multiplier ** 2).dataSync()),
              );
            });
            found.set(path, sums);
          },
        );
        value.dispose();
        for (const { path, gradientShape } of collector.parts) {
          const [outputs, inputs] = gradientShape;
          const [rows, columns] = [outputs, inputs].map((size) => Array<number>(size).fill(0)) as [
            number[],
            number[],
          ];
          const elements = Array<number>(outputs * inputs).fill(0);
          for (const gradient of exact.get(path) ?? []) {
            gradient.forEach((element, i) => {
              const [row, column] = [Math.floor(i / inputs), i % inputs];
              rows[row] = (rows[row] ?? NaN) + element ** 2;
              columns[column] = (columns[column] ?? NaN) + element ** 2;
              elements[i] = (elements[i] ?? NaN) + element ** 2;
            });
          }
          [rows, columns, elements].forEach((expected, i) => {
            expect(relativeError(found.get(path)?.[i] ?? [], expected)).toBeLessThan(ROUNDING);
          });
        }
      });

      it('hands a closure the bits that are there at the end', () => {
        const options = { projectionDim: 2, seed: 5, attention } as const;
        const collector = new GradientCollector(model, options);
        const handed = new Map<string, number[][]>();
        const { loss: value } = collector.run(
          () => loss(model, batch),
          (path, gradients) => {
            // A layer that is called again hands over what that call adds.
            const earlier = handed.get(path);
            const values = gradients.arraySync().map(flat);
            handed.set(
              path,
              earlier === undefined ? values : (tf.add(earlier, values).arraySync() as number[][]),
            );
          },
        );
        tf.dispose(value);
        collector.dispose();
        expect(handed).toEqual(collect(options).values);
      });

      // Slow; of one example the oracle above says the same.
      if (batchSize > 1 || untrainable)
        it('agrees with finite differences', () => {
          if (isIncomparable()) return;
          const { parts, values } = collect({ projectionDim: 'exact', lossReduction: 'sum' });
          for (const part of parts) {
            const sum = Array.from({ length: part.gradientShape[0] * part.gradientShape[1] }, (_, i) =>
              (values.get(part.path) ?? []).reduce((total, row) => total + (row[i] ?? NaN), 0),
            );
            const error = differenceError(part, sum, () => loss(model, batch));
            expect(error).toBeLessThan(TRUNCATION);
          }
        });

      whereTrainable(
        'changes no bit of what a training step computes, nor of what layers keep up to date',
        () => {
          const step = () =>
            tf.tidy(() => {
              const { value, grads } = tf.variableGrads(() => loss(model, batch));
              const gradients = Object.entries(grads).sort(([a], [b]) => (a < b ? -1 : 1));
              return [value, ...gradients.map(([, gradient]) => gradient)].map((each) =>
                Array.from(each.dataSync()),
              );
            });
          const weights = () => model.weights.map((weight) => Array.from(weight.read().dataSync()));
          const before = tf.tidy(() => model.getWeights().map((weight) => weight.clone()));
          const expected = [...step(), ...weights()];
          model.setWeights(before);
          const collector = new GradientCollector(model, { attention });
          const { result, gradients } = collector.surround(step);
          expectUnchanged([...result, ...weights()], expected);
          expect(gradients.size).toBe(collector.parts.length);
          tf.dispose([before, [...gradients.values()]]);
          collector.dispose();
        },
      );

      it('leaves no tensor behind', () => {
        collect({});
        const before = tf.memory().numTensors;
        collect({});
        collect({ projectionDim: 'exact' });
        expect(tf.memory().numTensors).toBe(before);
      });
    });
  });
}

function flat(matrix: number[][]): number[] {
  return matrix.flat();
}
