// Jest gives each spec a copy of the environment, which TensorFlow's C++ side does not see: set it out here.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';

// Packages that are ES modules only, which Jest does not load as they are.
const ES_MODULE_PACKAGES = 'hyparquet|hyparquet-compressors|hyparquet-writer|hysnappy|fzstd';
const ES_MODULES = `/node_modules/(${ES_MODULE_PACKAGES})/.+\\.js$`;

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
  testTimeout: 60_000,
};
