import { loadBackend } from '../../lib/backend';

beforeAll(async () => {
  await loadBackend();
});
