/** A small GPT-2 against numbers that another implementation computed for it; gpt2/README.md says which. */
import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  GradientCollector,
  loadCausalLM,
  type CausalLM,
  type Attention,
  type AttributedPart,
  type GradientCollectorOptions,
  type Normalizer,
} from '../../callbacks';
import { drawBergsonMatrix } from '../../kernels/bergson-matrix';
import { SafetensorsFile } from '../../lib/store/safetensors';
import { relativeError, ROUNDING } from '../support/closeness';

const directory = path.join(__dirname, 'gpt2');
const MAPS = [0, 1].flatMap((block) =>
  ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'].map((map) => `h.${block}.${map}`),
);
const HEADS = 'h.0.attn.c_attn';
/** By their places among the outputs, whatever of query, key and value lies there. */
const ATTENTION: Attention = { [HEADS]: { numHeads: 4, headSize: 48, headDim: 2 } };

function readJson(name: string): unknown {
  return JSON.parse(fs.readFileSync(path.join(directory, name), 'utf8'));
}

/** The rows of a stored index: for each, every map's gradient by name. */
function readIndex(name: string): Record<string, Float32Array>[] {
  const info = readJson(`${name}/info.json`) as { grad_sizes: Record<string, number> };
  const sizes = Object.entries(info.grad_sizes);
  const bytes = fs.readFileSync(path.join(directory, name, 'gradients.bin'));
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const width = sizes.reduce((sum, [, size]) => sum + size, 0);
  return Array.from({ length: values.length / width }, (_, row) => {
    let end = row * width;
    return Object.fromEntries(sizes.map(([map, size]) => [map, values.slice(end, (end += size))]));
  });
}

/** Every tensor of a safetensors file, kept until the spec ends. */
function readTensors(name: string): (tensor: string) => tf.Tensor2D {
  const file = SafetensorsFile.open(path.join(directory, name));
  const entries = [...file.entries.keys()].map((tensor) => {
    const { data, shape } = file.read(tensor);
    return [tensor, tf.tensor<tf.Rank.R2>(data as Float32Array, shape as [number, number])] as const;
  });
  file.close();
  const tensors = new Map(entries);
  return (tensor) => {
    const found = tensors.get(tensor);
    if (found === undefined) throw new Error(`${name} holds no ${tensor}`);
    return found;
  };
}

const documents = (readJson('token_ids.json') as { input_ids: number[][] }).input_ids;
const losses = readJson('losses.json') as { reduction_sum: number[]; per_token: number[][] };

let lm: CausalLM;
let projections: (tensor: string) => tf.Tensor2D;
let moments: (tensor: string) => tf.Tensor2D;
beforeAll(async () => {
  lm = await loadCausalLM(directory);
  projections = readTensors('projection_matrices.safetensors');
  moments = readTensors('second_moments.safetensors');
});

/** Each token's loss [N, S - 1] for all documents, padded on the right; zero where there is no next token. */
function tokenLosses(): tf.Tensor2D {
  return tf.tidy(() => {
    const padded = (fill: number) =>
      tf.tensor2d(
        documents.map((ids) => [...ids, ...Array<number>(64 - ids.length).fill(fill)]),
        [documents.length, 64],
        'int32',
      );
    return lm.tokenLosses(padded(0), padded(-100));
  });
}

/** Each document's gradients by the name of the map or head: [documents, O, I], the sum of its tokens' losses differentiated. */
function collect(options: GradientCollectorOptions): (map: string) => tf.Tensor3D {
  const collector = new GradientCollector(lm.model, {
    layers: lm.linearMaps,
    includeBias: false,
    projectionDim: 'exact',
    lossReduction: 'sum',
    ...options,
  });
  const { loss, gradients } = collector.run(() => tokenLosses().sum());
  loss.dispose();
  return (map) => gradients.get(map) as tf.Tensor3D;
}

/**
 * Compares `found` [documents, ...] with a stored index, whose rows are of the documents `rows`. Relative to a map's
 * largest element, its heads together: those that a document's loss does not depend on hold nothing but rounding.
 */
function expectRows(index: string, rows: readonly number[], found: (part: string) => tf.Tensor): void {
  const stored = readIndex(index);
  expect(stored).toHaveLength(rows.length);
  stored.forEach((row, i) => {
    const parts = Object.keys(row);
    for (const map of new Set(parts.map(mapOf))) {
      const ofMap = parts.filter((part) => mapOf(part) === map);
      const own = ofMap.flatMap((part) =>
        tf.tidy(() =>
          Array.from(
            found(part)
              .slice(rows[i] ?? NaN, 1)
              .dataSync(),
          ),
        ),
      );
      const expected = ofMap.flatMap((part) => Array.from(row[part] ?? []));
      expect(relativeError(own, expected)).toBeLessThan(ROUNDING);
    }
  });
}

/** The map that a part, a head or the map itself, is of. */
function mapOf(part: string): string {
  return part.replace(/\.head_\d+$/, '');
}

/** L G Rᵀ with the stored matrices. */
function project(gradients: tf.Tensor3D, left: tf.Tensor2D, right: tf.Tensor2D): tf.Tensor3D {
  return tf.tidy(() => {
    const [n, outputs, inputs] = gradients.shape;
    const columns = gradients.reshape<tf.Tensor2D>([n * outputs, inputs]).matMul(right.transpose());
    const halves = columns.reshape<tf.Tensor3D>([n, outputs, -1]).transpose([1, 0, 2]).reshape([outputs, -1]);
    const both = left.matMul<tf.Tensor2D>(halves);
    return both.reshape<tf.Tensor3D>([left.shape[0], n, -1]).transpose([1, 0, 2]);
  });
}

/** V [O, I] of a map, given to each part as the optimizer would hold it, [I, O]. */
function normalizer(epsilon: number, ofMap: (map: string) => tf.Tensor): Normalizer {
  return {
    name: 'reference',
    epsilon,
    secondMoments: ({ path, asMatrix }: AttributedPart) => {
      const map = mapOf(path);
      return asMatrix([ofMap(map).transpose()]);
    },
  };
}

const adam = normalizer(1e-8, (map) => moments(`${map}.adam.weight`));
const adafactor: Normalizer = {
  name: 'reference',
  factoredMoments({ path }: AttributedPart) {
    const map = mapOf(path);
    const [rows, columns] = [`${map}.adafactor.row`, `${map}.adafactor.col`].map(moments) as unknown as [
      tf.Tensor1D,
      tf.Tensor1D,
    ];
    return { rows, columns };
  },
};

const ALL = documents.map((_, document) => document);
const matricesOf = (map: string) =>
  ['left', 'right'].map((side) => projections(`rademacher/${map}/${side}`)) as [tf.Tensor2D, tf.Tensor2D];

it('gives its losses', () => {
  const found = tf.tidy(() => tokenLosses().arraySync());
  found.forEach((row, document) => {
    const expected = losses.per_token[document] ?? [];
    expect(relativeError(row.slice(0, expected.length), expected)).toBeLessThan(ROUNDING);
  });
  const sums = found.map((row) => row.reduce((sum, loss) => sum + loss, 0));
  expect(relativeError(sums, losses.reduction_sum)).toBeLessThan(ROUNDING);
});

it('gives its per-example gradients', () => {
  const gradients = collect({});
  expectRows('index_raw_full', [3], gradients);
  expectRows('index_raw_p8', ALL, (map) => project(gradients(map), ...matricesOf(map)));
});

it('gives its per-example gradients projected by normal matrices', () => {
  const gradients = collect({});
  const matrices = (map: string) =>
    ['left', 'right'].map((side) => projections(`normal/${map}/${side}`)) as [tf.Tensor2D, tf.Tensor2D];
  expectRows('index_normalproj_p8', ALL, (map) => project(gradients(map), ...matrices(map)));
});

it('gives its gradients of each token', () => {
  const gradients = collect({ attribute: 'tokens' });
  const tokens = documents.flatMap((ids, document) =>
    ids.slice(1).map((_, position) => 64 * document + position),
  );
  const projected = new Map(MAPS.map((map) => [map, project(gradients(map), ...matricesOf(map))]));
  expectRows('index_raw_tokens_p8', tokens, (map) => projected.get(map) as tf.Tensor);
});

it('gives its biases’ gradients, as the last column', () => {
  const gradients = collect({ includeBias: true });
  const biases = readTensors('bias_gradients.safetensors');
  for (const map of MAPS) {
    const last = tf.tidy(() =>
      gradients(map)
        .slice([0, 0, gradients(map).shape[2] - 1], [-1, -1, 1])
        .dataSync(),
    );
    expect(relativeError(last, biases(map).dataSync())).toBeLessThan(ROUNDING);
  }
  expectRows('index_raw_bias_p8', ALL, (map) =>
    project(gradients(map), matricesOf(map)[0], projections(`rademacher/${map}/right_with_bias`)),
  );
});

it.each([
  { name: 'Adam', index: 'index_adam_p8', normalizer: adam },
  { name: 'Adafactor', index: 'index_adafactor_p8', normalizer: adafactor },
])('gives its gradients divided by the second moments of $name', ({ index, normalizer }) => {
  const gradients = collect({ normalizer });
  expectRows(index, ALL, (map) => project(gradients(map), ...matricesOf(map)));
});

describe('by head', () => {
  let headMatrices: (tensor: string) => tf.Tensor2D;
  beforeAll(() => {
    headMatrices = readTensors('head_projection_matrices.safetensors');
  });
  const side = (head: string, name: 'left' | 'right') => headMatrices(`rademacher/${head}/${name}`);

  it('gives its gradients', () => {
    const gradients = collect({ attention: ATTENTION });
    expectRows('index_heads_full', [0, 5], gradients);
    // A head's left matrix, and the right one of its map.
    expectRows('index_heads_p8', ALL, (head) =>
      project(gradients(head), side(head, 'left'), matricesOf(HEADS)[1]),
    );
  });

  it('gives its gradients divided by Adam’s second moments', () => {
    const gradients = collect({ attention: ATTENTION, normalizer: adam });
    expectRows('index_heads_adam_p8', ALL, (head) =>
      project(gradients(head), side(head, 'left'), side(head, 'right')),
    );
  });
});

describe('with its own random matrices, drawn from the maps’ names', () => {
  const bergson = { projectionDim: 8, projectionType: 'bergson' } as const;

  it.each([
    { index: 'index_raw_p8', options: {} },
    { index: 'index_raw_bias_p8', options: { includeBias: true } },
    { index: 'index_adam_p8', options: { normalizer: adam } },
    { index: 'index_adafactor_p8', options: { normalizer: adafactor } },
    { index: 'index_heads_p8', options: { attention: ATTENTION } },
    { index: 'index_heads_adam_p8', options: { attention: ATTENTION, normalizer: adam } },
  ])('gives $index as it is', ({ index, options }) => {
    expectRows(index, ALL, collect({ ...bergson, ...options }));
  });

  it('gives its rows of unit norm', () => {
    const gradients = collect(bergson);
    const rows = ALL.map((document) =>
      MAPS.flatMap((map) => tf.tidy(() => Array.from(gradients(map).slice(document, 1).dataSync()))),
    );
    const stored = readIndex('index_raw_unitnorm_p8');
    rows.forEach((row, document) => {
      const norm = Math.sqrt(row.reduce((sum, value) => sum + value ** 2, 0));
      const expected = MAPS.flatMap((map) => [...(stored[document]?.[map] ?? [])]);
      const unit = row.map((value) => value / norm);
      expect(relativeError(unit, expected)).toBeLessThan(ROUNDING);
    });
  });

  it('gives one projection over all maps: the sum of their gradients’, each as one vector', () => {
    const gradients = collect({});
    const projected = tf.tidy(() =>
      tf.addN(
        MAPS.map((map) => {
          const [documents, outputs, inputs] = gradients(map).shape;
          const width = outputs * inputs;
          const matrix = drawBergsonMatrix({ type: 'bergson', name: `${map}/single` }, 64, width);
          return tf.matMul(gradients(map).reshape([documents, width]), tf.tensor2d(matrix, [width, 64]));
        }),
      ),
    );
    expectRows('index_raw_global64', ALL, () => projected);
    projected.dispose();
  });
});
