import { applyHostFixes } from '../../lib/host-fixes';
import { loadBackend } from '../../lib/backend';

/** Describes `body` on each backend, with host fixes applied before each test, and undone after it by what `body` may call too. */
export function describeOnEveryBackend(body: (undo: () => void) => void): void {
  describe.each(['best', 'wasm', 'cpu'])('on the %s backend', (backend) => {
    let undo: () => void;

    beforeAll(async () => {
      if (backend !== 'best') await loadBackend(backend);
    });
    beforeEach(() => {
      undo = applyHostFixes();
    });
    afterEach(() => {
      undo();
    });

    body(() => {
      undo();
    });
  });
}
