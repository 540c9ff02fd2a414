import { ModelConfigError } from '../../callbacks';
import { ModelConfig } from '../../lib/models/model-config';
import { rotaryFrequencies, rotaryShare } from '../../lib/models/rotary-frequencies';

const frequencies = (values: Record<string, unknown>) =>
  rotaryFrequencies(new ModelConfig('config.json', values), 8);

it('falls from one radian a position by powers of theta', () => {
  const expected = [1, 1e-1, 1e-2, 1e-3];
  frequencies({}).forEach((frequency, i) => {
    expect(frequency / (expected[i] ?? NaN)).toBeCloseTo(1, 12);
  });
});

it('reads older fields and newer ones alike', () => {
  const llama3 = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  };
  expect(frequencies({ rope_theta: 500 })).toEqual(
    frequencies({ rope_parameters: { rope_theta: 500, rope_type: 'default' } }),
  );
  expect(frequencies({ rotary_emb_base: 500 })).toEqual(frequencies({ rope_theta: 500 }));
  const older = { rope_theta: 500, rope_scaling: { ...llama3, rope_type: 'llama3' } };
  expect(frequencies(older)).toEqual(
    frequencies({ rope_parameters: { ...llama3, rope_theta: 500, rope_type: 'llama3' } }),
  );
  expect(frequencies(older)).not.toEqual(frequencies({ rope_theta: 500 }));
  const linear = frequencies({ rope_scaling: { type: 'linear', factor: 4 } });
  expect(linear).toEqual(frequencies({}).map((frequency) => frequency / 4));
  const share = (values: Record<string, unknown>) => rotaryShare(new ModelConfig('config.json', values), 1);
  expect([share({}), share({ rotary_pct: 0.25 })]).toEqual([1, 0.25]);
  expect(share({ rope_parameters: { partial_rotary_factor: 0.5 } })).toBe(0.5);
});

it('refuses a scaling that is not known, and lists those that are', () => {
  const yarn = () => frequencies({ rope_scaling: { rope_type: 'yarn', factor: 4 } });
  expect(yarn).toThrow(ModelConfigError);
  expect(yarn).toThrow(/`rope_type` is "yarn"; it must be one of default, linear, llama3/);
});
