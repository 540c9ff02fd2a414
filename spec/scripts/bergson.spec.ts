import { runBergson } from '../support/run-bergson';

describe('bergson', () => {
  it('lists its commands', () => {
    const { code, stdout } = runBergson(['--help']);
    expect(code).toBe(0);
    for (const command of ['setup', 'doctor']) expect(stdout).toContain(`bergson ${command}`);
  });

  it.each(['setup', 'doctor'])('shows examples of %s', (command) => {
    const { code, stdout } = runBergson([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Examples:');
  });

  it.each([
    { what: 'no command', args: [], says: 'Which command?' },
    { what: 'an unknown command', args: ['docter'], says: 'Did you mean doctor?' },
    { what: 'an unknown option', args: ['doctor', '--colour'], says: 'Unknown argument: colour' },
    { what: 'options that exclude each other', args: ['setup', '--gpu', '--wheel', 'x'], says: 'exclusive' },
  ])('exits with 2 on $what', ({ args, says }) => {
    const { code, stdout, stderr } = runBergson(args);
    expect(code).toBe(2);
    expect(stderr).toContain(says);
    expect(stdout).toBe('');
  });

  it('exits with 1 and the bare message on an error thrown on purpose', () => {
    const { code, stderr } = runBergson(['doctor'], { BERGSON_BACKEND: 'abacus' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^bergson: the `abacus` backend is not available: .*tensorflow, wasm, cpu/);
    expect(stderr).not.toContain('    at ');
  });
});

describe('bergson doctor', () => {
  it('describes a forced backend as JSON', () => {
    const { code, stdout } = runBergson(['doctor', '--json'], { BERGSON_BACKEND: 'wasm' });
    expect(code).toBe(0);
    const diagnosis = JSON.parse(stdout) as { hnswlib: { ok: boolean; mend: string | null } };
    expect(diagnosis).toEqual({
      backend: {
        backend: 'wasm',
        reason: 'BERGSON_BACKEND asks for it',
        passedOver: [{ backend: 'tensorflow', failed: false, reason: 'not tried' }],
        package: null,
        device: 'cpu',
        products: 'float32',
        threads: expect.any(Number) as number,
        versions: { node: process.versions.node, tfjs: '4.22.0', tensorflow: null },
      },
      projection: { ok: true, detail: expect.any(String) as string, mend: null },
      hnswlib: { ...diagnosis.hnswlib, detail: expect.any(String) as string },
    });
    if (!diagnosis.hnswlib.ok) expect(diagnosis.hnswlib.mend).toContain('bergson setup');
  });

  it('writes no colours where there is no terminal', () => {
    const { stdout } = runBergson(['doctor'], { BERGSON_BACKEND: 'wasm', CI: 'true' });
    expect(stdout).toContain('wasm (BERGSON_BACKEND asks for it)');
    expect(stdout).not.toContain('\u001b');
  });
});
