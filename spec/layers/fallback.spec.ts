import tf = require('@tensorflow/tfjs');
import { GradientCollector } from '../../callbacks';
import { describeLayerGradient } from '../contract/layer-gradient-contract';
import { stack } from '../contract/stacked-layers';

type Inputs = tf.Tensor | tf.Tensor[];

/** tanh(x W + b) times a scalar: weights of every rank. */
class Plain extends tf.layers.Layer {
  static readonly className: string = 'SpecPlain';
  protected weightsHeld: tf.LayerVariable[] = [];

  override build(inputShape: tf.Shape): void {
    const initializer = tf.initializers.randomNormal({});
    const inputs = inputShape[inputShape.length - 1] ?? 0;
    this.weightsHeld = [
      this.addWeight('matrix', [inputs, 3], 'float32', initializer),
      this.addWeight('shift', [3], 'float32', initializer),
      this.addWeight('scale', [], 'float32', initializer),
    ];
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return [...inputShape.slice(0, -1), 3];
  }

  override call(inputs: Inputs): tf.Tensor {
    return tf.tidy(() => {
      const [matrix, shift, scale] = this.weightsHeld.map((weight) => weight.read());
      const x = [inputs].flat()[0] as tf.Tensor;
      const rows = x.reshape([-1, x.shape[x.rank - 1] ?? 0]);
      const y = tf
        .tanh(tf.matMul(rows, matrix as tf.Tensor2D).add(shift as tf.Tensor))
        .mul(scale as tf.Tensor);
      return y.reshape([...x.shape.slice(0, -1), 3]);
    });
  }
}

/** Two inputs, weighed by a vector of its own, through a layer inside. */
class Mixture extends tf.layers.Layer {
  static readonly className: string = 'SpecMixture';
  readonly inner = tf.layers.dense({ units: 3, activation: 'tanh' });
  private share: tf.LayerVariable | undefined;

  override build(inputShape: tf.Shape[]): void {
    this.inner.build(inputShape[0] as tf.Shape);
    this.share = this.addWeight('share', [2], 'float32', tf.initializers.randomNormal({}));
    this._trainableWeights = [...this._trainableWeights, ...this.inner.trainableWeights];
    super.build(inputShape);
  }

  override computeOutputShape([first]: tf.Shape[]): tf.Shape {
    return [(first as tf.Shape)[0] ?? null, 3];
  }

  override call(inputs: tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [a, b] = tf.split((this.share as tf.LayerVariable).read(), 2) as [tf.Tensor, tf.Tensor];
      return this.inner.apply(
        tf.add(inputs[0]?.mul(a) as tf.Tensor, inputs[1]?.mul(b) as tf.Tensor),
      ) as tf.Tensor;
    });
  }
}

/** h' = tanh(x + h R), c' = c + h': a recurrent cell with two states. */
class CustomCell extends tf.layers.RNNCell {
  static readonly className: string = 'SpecCell';
  stateSize = [3, 3];
  private recurrent: tf.LayerVariable | undefined;

  override build(inputShape: tf.Shape): void {
    this.recurrent = this.addWeight('recurrent', [3, 3], 'float32', tf.initializers.randomNormal({}));
    super.build(inputShape);
  }

  override call(inputs: Inputs): tf.Tensor[] {
    return tf.tidy(() => {
      const [x, h, c] = inputs as [tf.Tensor, tf.Tensor2D, tf.Tensor];
      const next = tf.tanh(x.add(tf.matMul(h, this.recurrent?.read() as tf.Tensor2D)));
      return [next.add(c), next, c.add(next)];
    });
  }
}

function halfFrozen(): tf.layers.Layer {
  const layer = tf.layers.dense({ units: 2 });
  const build = layer.build.bind(layer);
  layer.build = (shape) => {
    build(shape);
    const [kernel] = layer.weights;
    if (kernel !== undefined) kernel.trainable = false;
  };
  return layer;
}

describeLayerGradient('The fallback', [
  stack('weights of every rank', [2, 4], () => [new Plain({}), tf.layers.dense({ units: 2 })]),
  stack('a layer of which the kernel is frozen', [3], () => [halfFrozen()]),
  stack('a recurrent cell with two states', [2, 3], () => [
    tf.layers.rnn({ cell: new CustomCell({}), returnSequences: true }),
  ]),
  {
    name: 'two inputs, beside the adapter of a layer inside',
    build() {
      const input = tf.input({ shape: [4] });
      const other = tf.layers.dense({ units: 4, activation: 'sigmoid' }).apply(input) as tf.SymbolicTensor;
      const output = new Mixture({ name: 'mixture' }).apply([input, other]) as tf.SymbolicTensor;
      return tf.model({ inputs: input, outputs: output });
    },
    inputs: (batchSize) => tf.randomNormal([batchSize, 4], 0, 1, 'float32', 3),
  },
]);

function modelOf(layer: tf.layers.Layer): tf.LayersModel {
  return tf.sequential({ layers: [tf.layers.inputLayer({ inputShape: [4] }), layer] });
}

it('names a layer’s own weights, and the layers inside by their paths', () => {
  const input = tf.input({ shape: [4] });
  const layers = [new Plain({ name: 'plain' }), new Mixture({ name: 'mixture' })] as const;
  const plain = layers[0].apply(input) as tf.SymbolicTensor;
  const model = tf.model({ inputs: input, outputs: layers[1].apply([plain, plain]) as tf.SymbolicTensor });
  const collector = new GradientCollector(model);
  expect(collector.parts.map(({ path, gradientShape }) => [path, ...gradientShape])).toEqual([
    ['plain.matrix', 3, 4],
    ['plain.shift', 3, 1],
    ['plain.scale', 1, 1],
    ['mixture', 2, 1],
    ['mixture.inner', 3, 4],
  ]);
  expect(collector.layers.map(({ fallback }) => fallback)).toEqual([true, true, false]);
  expect(collector.coverage).toMatchObject({ attributed: 12 + 3 + 1 + 2 + 12, trained: 12 + 3 + 1 + 2 + 12 });
});

describe('refuses', () => {
  class Random extends Plain {
    static override readonly className: string = 'SpecRandom';
    override call(inputs: Inputs): tf.Tensor {
      return tf.tidy(() => tf.dropout(super.call(inputs), 0.5));
    }
  }
  class Meeting extends Plain {
    static override readonly className: string = 'SpecMeeting';
    override call(inputs: Inputs): tf.Tensor {
      return tf.tidy(() => {
        const output = super.call(inputs);
        return output.sub(output.mean(0));
      });
    }
  }
  class Fixed extends Plain {
    static override readonly className: string = 'SpecFixed';
    override call(inputs: Inputs): tf.Tensor {
      return tf.tidy(() => super.call(inputs).reshape([6, 3]));
    }
  }
  class Scalar extends Plain {
    static override readonly className: string = 'SpecScalar';
    override computeOutputShape(): tf.Shape {
      return [];
    }
  }

  it.each<[string, () => tf.layers.Layer, RegExp]>([
    [
      'random numbers',
      () => new Random({ name: 'drawing' }),
      /`drawing` \(SpecRandom\).*differ by.*registerLayerGradient/,
    ],
    [
      'examples that meet',
      () => new Meeting({ name: 'meeting' }),
      /`meeting` \(SpecMeeting\).*for example 0/,
    ],
    [
      'a size that only the batch has',
      () => new Fixed({ name: 'fixed' }),
      /`fixed` \(SpecFixed\).*failed when run for one example alone/,
    ],
  ])('%s', (_, layer, message) => {
    const model = modelOf(layer());
    const collector = new GradientCollector(model);
    const xs = tf.randomNormal([6, 4], 0, 1, 'float32', 1);
    expect(() =>
      collector.run(() => (model.apply(xs, { training: true }) as tf.Tensor).square().mean()),
    ).toThrow(message);
  });

  it('outputs whose first axis is not the batch, all at once, when the model’s graph tells', () => {
    const input = tf.input({ shape: [4] });
    const outputs = ['one', 'two'].map((name) => new Scalar({ name }).apply(input) as tf.SymbolicTensor);
    expect(() => new GradientCollector(tf.model({ inputs: input, outputs }))).toThrow(
      /`one` \(SpecScalar\), \[\]; `two` \(SpecScalar\), \[\]; keep examples apart/,
    );
  });
});
