import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

const nodeGlobals = ['URL', 'clearInterval', 'console', 'process', 'setInterval', 'setTimeout'];

export default tseslint.config(
  { ignores: ['.local/', 'cdktf.out/', 'dist/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: new URL('.', import.meta.url).pathname },
    },
  },
  {
    files: ['**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        ...['@cdktf/provider-aws', '@cdktf/provider-aws/lib'].map((name) => ({
          name,
          message: "Import the resource, '@cdktf/provider-aws/lib/<resource>': the whole takes seconds and 500 MB.",
        })),
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Jest's asymmetric matchers, expect.any() and the like, are typed any.
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: Object.fromEntries(nodeGlobals.map((name) => [name, 'readonly'])) },
  },
  {
    files: ['**/*.js'],
    languageOptions: { sourceType: 'commonjs', globals: { module: 'writable', require: 'readonly' } },
  },
);
