import { defineConfig, globalIgnores } from 'eslint/config';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

const core = ['actors/**/*.ts', 'runtime/**/*.ts', 'state/**/*.ts', 'connectors/**/*.{ts,tsx}'];

export default defineConfig(
  globalIgnores(['dist/', '.dist-*/', 'coverage/', 'proto/gen/', '.rivulet/', 'deploy/clients/*/dist/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{ts,tsx,mts,js,mjs}'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'object-shorthand': 'error',
      'no-else-return': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-exports': 'error',
      // `default` does not excuse a missing member: a new event type or error kind must be met at every switch.
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { allowDefaultCaseForExhaustiveSwitch: true, considerDefaultExhaustiveForUnions: false },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Hot loops over typed arrays read `a[i]!` inside a checked bound.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // It would drop that `!` where the receiver also takes `undefined` and means something else by it.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      // A port is asynchronous even where its in-memory double has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: core,
    rules: {
      'no-console': 'error',
    },
  },
  {
    // Sound where all is synchronous. Elsewhere a flag that changes during an `await` looks constant to the type checker.
    files: ['actors/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
    },
  },
  { files: ['runtime/cli/**/*.ts', 'runtime/node/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    // Tests read untyped JSON and pass methods to `expect`.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  // Projects of their own that import this package by its name; their types are checked where they are built.
  { files: ['**/*.{js,mjs}', 'deploy/clients/**/*.ts'], extends: [tseslint.configs.disableTypeChecked] },
  prettier,
);
