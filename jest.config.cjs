// Jest gives each spec a copy of the environment, which TensorFlow's C++ side does not see: set it out here.
process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';

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
  },
  testTimeout: 60_000,
};
