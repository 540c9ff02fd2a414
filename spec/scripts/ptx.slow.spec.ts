import { readFileSync } from 'node:fs';
import { assemble, ASSEMBLED_FOR, compile, PTX_FILE } from '../../scripts/ptx/compilers';
import { SetupError } from '../../scripts/setup/errors';

/** Runs `body` where NVIDIA's compilers run and can be downloaded. */
async function withCompilers(body: () => Promise<void>): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return;
  try {
    await body();
  } catch (error) {
    if (!(error instanceof SetupError) || !error.step.startsWith('download')) throw error;
    console.warn(`not checked: ${error.message}`);
  }
}

it('the kernels compile to the committed PTX, byte by byte', async () => {
  await withCompilers(async () => {
    expect((await compile()) === readFileSync(PTX_FILE, 'utf8')).toBe(true);
  });
}, 300_000);

it.each(ASSEMBLED_FOR)(
  'every kernel has its variables in registers on %s, and room for three blocks',
  async (target) => {
    await withCompilers(async () => {
      for (const { kernel, registers, spilled } of await assemble(target)) {
        expect({ kernel, spilled, fits: registers <= 80 }).toEqual({ kernel, spilled: 0, fits: true });
      }
    });
  },
  300_000,
);
