/** The kinds of language models that are known. */
import { UnknownArchitectureError } from '../errors';
import type { Architecture } from './architecture';
import { gpt2 } from './gpt2';
import type { ModelConfig } from './model-config';

const ARCHITECTURES: readonly Architecture[] = [gpt2];

/** The architecture that `model_type` names. @throws UnknownArchitectureError listing those that are known */
export function findArchitecture({ file, values }: ModelConfig): Architecture {
  const type = String(values.model_type);
  const found = ARCHITECTURES.find(({ modelTypes }) => modelTypes.includes(type));
  if (found !== undefined) return found;
  const known = ARCHITECTURES.flatMap(({ modelTypes }) => modelTypes);
  throw new UnknownArchitectureError(file, type, known);
}
