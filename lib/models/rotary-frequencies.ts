/** How fast rotary embeddings turn, as `config.json` says it, in the older fields and the newer. */
import type { ModelConfig } from './model-config';

/** Radians a position for each pair of `channels`, R / 2 of them, the fastest first. @throws ModelConfigError */
export function rotaryFrequencies(config: ModelConfig, channels: number): number[] {
  const rope = ropeParameters(config);
  const theta = rope.number('rope_theta', 10_000);
  const plain = Array.from({ length: channels / 2 }, (_, i) => theta ** ((-2 * i) / channels));
  switch (rope.choice('rope_type', ['default', 'linear', 'llama3'], 'default')) {
    case 'default':
      return plain;
    case 'linear': {
      const factor = rope.number('factor');
      return plain.map((frequency) => frequency / factor);
    }
    case 'llama3': {
      const factor = rope.number('factor');
      const low = rope.number('low_freq_factor');
      const high = rope.number('high_freq_factor');
      const context = rope.number('original_max_position_embeddings');
      return plain.map((frequency) => {
        const turns = (context * frequency) / (2 * Math.PI); // within the context that was trained on first
        const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
        return (share + (1 - share) / factor) * frequency;
      });
    }
  }
}

/** The share of a head's channels that turn. @throws ModelConfigError */
export function rotaryShare(config: ModelConfig, otherwise: number): number {
  return ropeParameters(config).number('partial_rotary_factor', config.number('rotary_pct', otherwise));
}

/** `rope_parameters`, or what earlier versions kept beside it and in `rope_scaling`. */
function ropeParameters(config: ModelConfig) {
  const { rope_theta, rotary_emb_base } = config.values;
  const scaling = config.inside('rope_scaling');
  const { type } = scaling.values;
  return config
    .with({ rope_theta: rope_theta ?? rotary_emb_base, rope_type: type })
    .with(scaling.values)
    .with(config.inside('rope_parameters').values);
}
