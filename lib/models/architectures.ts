/** The kinds of language models that are known. */
import { UnknownArchitectureError } from '../errors';
import type { Architecture } from './architecture';
import { gptNeo } from './gpt-neo';
import { gptNeoX } from './gpt-neox';
import { gpt2 } from './gpt2';
import { llama, mistral, qwen2 } from './llama';
import type { ModelConfig } from './model-config';

const ARCHITECTURES: readonly Architecture[] = [gpt2, gptNeo, gptNeoX, llama, mistral, qwen2];

/** The architecture that `model_type` names. @throws UnknownArchitectureError listing those that are known */
export function findArchitecture({ file, values }: ModelConfig): Architecture {
  const type = String(values.model_type);
  const found = ARCHITECTURES.find(({ modelType }) => modelType === type);
  if (found !== undefined) return found;
  const known = ARCHITECTURES.map(({ modelType }) => modelType);
  throw new UnknownArchitectureError(file, type, known);
}
