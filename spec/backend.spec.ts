import tf = require('@tensorflow/tfjs');
import { describeBackend, loadBackend } from '../lib/backend';
import { BackendUnavailableError } from '../lib/errors';

describe('loadBackend', () => {
  const forced = process.env.BERGSON_BACKEND;
  let before: string;

  beforeAll(() => {
    before = tf.getBackend();
  });

  beforeEach(() => {
    delete process.env.BERGSON_BACKEND;
  });

  afterEach(async () => {
    if (forced !== undefined) process.env.BERGSON_BACKEND = forced;
    await tf.setBackend(before);
  });

  it('selects the backend asked for, and says who asked', async () => {
    expect(await loadBackend('wasm')).toBe('wasm');
    expect(describeBackend()).toMatchObject({
      backend: 'wasm',
      reason: 'the caller asks for it',
      package: null,
    });
    process.env.BERGSON_BACKEND = 'cpu';
    expect(await loadBackend()).toBe('cpu');
    expect(describeBackend()).toMatchObject({
      backend: 'cpu',
      reason: 'BERGSON_BACKEND asks for it',
      threads: 1,
    });
  });

  it('keeps the one the program selected', async () => {
    await tf.setBackend('wasm');
    expect(await loadBackend()).toBe('wasm');
  });

  it('does not keep cpu, which TensorFlow.js selects by itself', async () => {
    await tf.setBackend('cpu');
    expect(await loadBackend()).not.toBe('cpu');
  });

  it('rejects a backend that does not exist, naming those that do', async () => {
    const refused = loadBackend('abacus');
    await expect(refused).rejects.toThrow(BackendUnavailableError);
    await expect(refused).rejects.toThrow(/`abacus`.*tensorflow, wasm, cpu.*bergson setup/);
  });

  it('takes an empty BERGSON_BACKEND for none', async () => {
    process.env.BERGSON_BACKEND = '';
    expect(['tensorflow', 'wasm']).toContain(await loadBackend());
  });
});
