// Jest gives each spec a copy of the environment, which TensorFlow's C++ side does not see: set it out here.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
// On a GPU: products in float32, and memory that several workers share.
process.env.NVIDIA_TF32_OVERRIDE ??= '0';
process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';

// Packages that are ES modules only, which Jest does not load as they are.
const ES_MODULE_PACKAGES = 'hyparquet|hyparquet-compressors|hyparquet-writer|hysnappy|fzstd';
const ES_MODULES = `/node_modules/(${ES_MODULE_PACKAGES})/.+\\.js$`;

// Jest runs specs, and all that they load, in a context where each look at a global takes a microsecond: half the time of
// many specs. These become parameters of every module; none is here that a module declares anew, as Arrow does Map. (Jest
// takes none that is false, such as NaN.)
const GLOBALS = ['Math', 'Number', 'Object', 'Array', 'Symbol', 'Float32Array', 'Int32Array', 'Uint8Array'];

module.exports = {
  rootDir: __dirname,
  roots: ['<rootDir>/spec'],
  testMatch: ['**/*.spec.ts'],
  testEnvironment: '<rootDir>/spec/support/node-environment.cjs',
  setupFilesAfterEnv: ['<rootDir>/spec/support/load-backend.ts'],
  reporters: ['default', '<rootDir>/spec/support/closing-line-reporter.cjs'],
  maxWorkers: 2,
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
    [ES_MODULES]: ['@swc/jest', { jsc: { target: 'es2022' }, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: [`/node_modules/(?!(${ES_MODULE_PACKAGES})/)`],
  sandboxInjectedGlobals: GLOBALS,
  testTimeout: 60_000,
};
