import fs from 'node:fs';
import path from 'node:path';
import { InvalidConfigError, resolveConfig } from '../../callbacks';
import { keepConfig, readConfig } from '../../lib/build/build-config';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const needed = { run: path.join(directory, 'run'), model: 'models/gpt2', dataset: 'texts.jsonl' };

it('fills in defaults, and makes paths absolute', () => {
  const config = resolveConfig(needed, 'here');
  expect(config).toMatchObject({
    model: path.resolve('models/gpt2'),
    normalizer: 'adafactor',
    lossReduction: 'sum',
    attribute: 'examples',
    projectionDim: 16,
    includeBias: false,
    modules: null,
  });
});

it('is read back from its file as it was', () => {
  const heads = { 'h.0.attn.c_attn': { numHeads: 12, headSize: 64, headDim: 2 } };
  const config = resolveConfig({ ...needed, modules: ['h.*.attn.*'], heads, projectionDim: 'exact' }, 'here');
  keepConfig(config);
  const file = path.join(config.run, 'config.yaml');
  expect(resolveConfig(readConfig(file), file)).toEqual(config);
});

it.each([
  ['model', undefined, /`model` is undefined; it must be given/],
  ['attribute', 'words', /`attribute` is "words"; it must be examples or tokens/],
  ['tokenBatchSize', 0, /must be a whole number from 1/],
  ['projectionDim', 'whole', /must be a whole number from 1, or exact/],
  ['seed', -1, /from 0 to 4294967295/],
  ['index', 'no', /must be true or false/],
  ['modules', [], /must be a list of texts/],
  ['heads', { a: { numHeads: 2 } }, /must be a map from layers/],
  ['normaliser', 'adam', /`normaliser` is undefined; it must be one of run, model/],
])('refuses %s being %p', (field, value, message) => {
  const call = () => resolveConfig({ ...needed, [field]: value }, 'here');
  expect(call).toThrow(InvalidConfigError);
  expect(call).toThrow(message);
});

it.each([
  ['text: [unclosed', /YAML/],
  ['- a\n- b', /a map of options/],
])('refuses a file of %p', (text, message) => {
  const file = path.join(directory, 'broken.yaml');
  fs.writeFileSync(file, text);
  expect(() => readConfig(file)).toThrow(message);
});
