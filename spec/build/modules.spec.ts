import { UnknownLayerError } from '../../callbacks';
import { selectModules } from '../../lib/build/modules';

const KNOWN = ['wte', 'h.0.attn.c_attn', 'h.0.mlp.c_fc', 'h.1.attn.c_attn', 'h.10.attn.c_attn', 'lm_head'];

it.each([
  [['h.1'], ['h.1.attn.c_attn']],
  [['h.*.attn.c_attn'], ['h.0.attn.c_attn', 'h.1.attn.c_attn', 'h.10.attn.c_attn']],
  [['**.c_*'], ['h.0.attn.c_attn', 'h.0.mlp.c_fc', 'h.1.attn.c_attn', 'h.10.attn.c_attn']],
  [['*'], KNOWN],
  [
    ['lm_head', 'wte'],
    ['wte', 'lm_head'],
  ],
  [['h.1*.attn'], ['h.1.attn.c_attn', 'h.10.attn.c_attn']],
])('selects by %p', (patterns, selected) => {
  expect(selectModules(patterns, KNOWN)).toEqual(selected);
});

it.each([['h'.concat('.2')], ['c_attn'], ['h.0.att'], ['h?0']])(
  'refuses %s, which selects nothing',
  (pattern) => {
    const error = (() => {
      try {
        return selectModules(['wte', pattern], KNOWN);
      } catch (reason) {
        return reason;
      }
    })();
    expect(error).toBeInstanceOf(UnknownLayerError);
    expect(error).toMatchObject({ unknown: [pattern] });
  },
);
