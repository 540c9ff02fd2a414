import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'runs/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // TensorFlow.js takes `verbose: 0` by an enum that it does not export.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      // Its `fitDataset` takes data sets by a class of its own that no data set is made by.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // What is slow to load is loaded when it is needed. A dynamic import would have to name a compiled file, and
      // specs run from sources.
      '@typescript-eslint/no-require-imports': ['error', { allow: ['^\\.'], allowAsImport: true }],
      'no-restricted-syntax': [
        'error',
        {
          selector: "ImportDeclaration[importKind='value'][source.value='@tensorflow/tfjs']",
          message:
            "Write `import tf = require('@tensorflow/tfjs')`: compiled to CommonJS, `import * as tf` makes a getter of each of its 600 members in every file, a third of what collecting costs JavaScript.",
        },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  {
    // Its mend is `!`, which another rule forbids.
    files: ['**/*.ts'],
    rules: { '@typescript-eslint/non-nullable-type-assertion-style': 'off' },
  },
  { files: ['{lib,callbacks,kernels}/**/*.ts'], rules: { 'no-console': 'error' } },
  {
    // Loops over typed arrays: under noUncheckedIndexedAccess, `!` is how to say that an index is in bounds.
    files: ['{kernels,spec}/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        require: 'readonly',
        module: 'writable',
        __dirname: 'readonly',
      },
    },
  },
);
