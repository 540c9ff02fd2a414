/** `npm run build:wasm`: compiles kernels/scan/scan.wat to the committed scan-wasm.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileScanKernel } from './wasm/compile';
import { packageRoot } from '../kernels/package-root';

async function main(): Promise<void> {
  const file = join(packageRoot(), 'kernels', 'scan', 'scan-wasm.ts');
  writeFileSync(file, await compileScanKernel());
}

void main();
