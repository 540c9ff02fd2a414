import tf = require('@tensorflow/tfjs');
import { ContextLengthError, createCausalLM, InvalidOptionError, type CausalLM } from '../../callbacks';
import { generate } from '../../lib/models/generate';

const CONTEXT = 12;
const SHAPE = {
  model_type: 'gpt2',
  vocab_size: 20,
  n_embd: 8,
  n_head: 2,
  n_layer: 2,
  n_positions: CONTEXT,
  // Wide enough for logits that differ.
  initializer_range: 0.8,
};
const PROMPT = [3, 1, 4];

let lm: CausalLM;
beforeAll(() => {
  lm = createCausalLM(SHAPE, 1);
});
afterAll(() => {
  lm.model.dispose();
});

/** Probabilities of the token after `ids`, by tfjs itself. */
function probabilities(ids: readonly number[], temperature = 1): number[] {
  return tf.tidy(() => {
    const logits = lm.model.predict(tf.tensor2d([...ids], [1, ids.length], 'int32')) as tf.Tensor3D;
    const last = logits.slice([0, ids.length - 1]).as1D();
    return [...last.div(temperature).softmax().dataSync<'float32'>()];
  });
}

it('takes the likeliest token each time, and leaves no tensor', async () => {
  const before = tf.memory().numTensors;
  const ids = [...(await generate(lm, PROMPT, { maxTokens: 5 }))];
  expect(tf.memory().numTensors).toBe(before);
  expect(ids).toHaveLength(5);
  ids.forEach((id, i) => {
    const chances = probabilities([...PROMPT, ...ids.slice(0, i)]);
    expect(id).toBe(chances.indexOf(Math.max(...chances)));
  });
});

it.each([0.5, 2])(
  'draws tokens as often as their probabilities at temperature %d say',
  async (temperature) => {
    const draws = 400;
    const counts = new Array<number>(SHAPE.vocab_size).fill(0);
    for (let seed = 0; seed < draws; seed++) {
      const [id = -1] = await generate(lm, PROMPT, { maxTokens: 1, temperature, seed });
      counts[id] = (counts[id] ?? 0) + 1;
    }
    probabilities(PROMPT, temperature).forEach((chance, id) => {
      // Five standard deviations of a count.
      const allowed = 5 * Math.sqrt(draws * chance * (1 - chance)) + 1;
      expect(Math.abs((counts[id] ?? 0) - draws * chance)).toBeLessThan(allowed);
    });
  },
);

it('draws the same with the same seed', async () => {
  const options = { maxTokens: 8, temperature: 2 };
  const ids = await generate(lm, PROMPT, { ...options, seed: 4 });
  expect(await generate(lm, PROMPT, { ...options, seed: 4 })).toEqual(ids);
  expect(await generate(lm, PROMPT, { ...options, seed: 5 })).not.toEqual(ids);
});

it('ends with the end of the text, and where the context is full', async () => {
  const whole = await generate(lm, PROMPT, { maxTokens: 100 });
  expect(whole).toHaveLength(CONTEXT - PROMPT.length);
  const end = whole[2] ?? -1;
  const ending = Object.assign(Object.create(lm) as CausalLM, { config: { eos_token_id: [end] } });
  expect(await generate(ending, PROMPT, { maxTokens: 100 })).toEqual(
    whole.subarray(0, whole.indexOf(end) + 1),
  );
});

it('refuses no tokens, a temperature below zero, and a prompt of none or too many', async () => {
  const refused = (prompt: number[], options = {}) =>
    expect(generate(lm, prompt, { maxTokens: 1, ...options })).rejects;
  await refused(PROMPT, { maxTokens: 0 }).toThrow(InvalidOptionError);
  await refused(PROMPT, { temperature: -1 }).toThrow(InvalidOptionError);
  await refused([]).toThrow(InvalidOptionError);
  await refused(new Array<number>(CONTEXT).fill(1)).toThrow(ContextLengthError);
});
