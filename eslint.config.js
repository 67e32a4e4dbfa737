import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import { defineConfig, globalIgnores } from 'eslint/config';
import globals from 'globals';
import ts from 'typescript-eslint';

const TYPED = ['**/*.ts', '**/*.svelte'];
const SOURCES = ['shared', 'signaling-server', 'peer', 'terminal', 'web'].flatMap((folder) =>
  ['ts', 'svelte'].map((extension) => `${folder}/**/*.${extension}`),
);

/** Sources of different results on different runs or machines, or that exist only on some. */
const IMPURE = new Set([
  ...Object.keys(globals.browser),
  ...Object.keys(globals.node),
  ...['Date', 'Intl', 'globalThis', 'WeakRef', 'FinalizationRegistry'],
]);

/** The folders that a page's component must not reach, types included. */
const NOT_FOR_PAGES = ['signaling-server', 'terminal', 'tests', 'bench', 'scripts'];

export default defineConfig(
  globalIgnores(['dist/', 'coverage/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  js.configs.recommended,
  { files: ['**/*.{js,mjs}'], languageOptions: { globals: globals.node } },
  {
    // Read by every Node.
    files: ['scripts/*.cjs'],
    languageOptions: { ecmaVersion: 5, globals: globals.node },
  },
  {
    files: ['web/**/*.cjs'],
    languageOptions: { globals: { ...globals.commonjs, ...globals.browser } },
  },

  {
    files: TYPED,
    extends: [ts.configs.strictTypeChecked, ts.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
        // The same for all files: differing lists make TypeScript load the projects again.
        extraFileExtensions: ['.svelte'],
      },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      // A default branch handles all the rest, as with unions of other packages.
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // A function that returns nothing may end with a call of another.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // TypeScript has its own check, which requires the brackets.
      '@typescript-eslint/dot-notation': 'off',
      // TypeScript knows the names.
      'no-undef': 'off',
      eqeqeq: 'error',
    },
  },
  {
    files: SOURCES,
    rules: {
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
    },
  },
  {
    files: ['shared/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...IMPURE],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Take randomness through a port.' },
        ...['localeCompare', 'toLocaleString', 'toLocaleLowerCase', 'toLocaleUpperCase'].map(
          (property) => ({ property, message: 'It depends on where it runs.' }),
        ),
      ],
    },
  },

  svelte.configs.recommended,
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { globals: globals.browser, parserOptions: { parser: ts.parser } },
  },
  {
    files: ['web/**/*.{ts,svelte}'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...[
          String.raw`Literal[value=/^\u002F[a-z?]/]`,
          String.raw`TemplateLiteral > TemplateElement:first-child[value.raw=/^\u002F/]`,
          String.raw`SvelteAttribute[key.name=/^(href|src)$/] > SvelteLiteral[value=/^\u002F/]`,
        ].map((selector) => ({
          selector,
          message: 'The server may be below a path: give the address relative to the page.',
        })),
      ],
    },
  },
  {
    files: ['web/**/*.svelte'],
    rules: {
      // The compiler removes imports of types; without them the check of import directions would be
      // incomplete.
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: NOT_FOR_PAGES.map((folder) => ({
            regex: `^\\.\\./(?:.*/)?${folder}/`,
            message: `web/ imports only peer/ and shared/`,
          })),
        },
      ],
    },
  },
);
