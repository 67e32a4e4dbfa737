/** The rules of both SPECs are short, each is in the name of a test, and tests name no others. */
import { expect, test } from 'vitest';
import { idsIn, namesOfTests, rulesOfSpecs } from '../spec-rules.ts';

const MOST_WORDS = 60;

const rules = rulesOfSpecs();
const names = namesOfTests();

test('a rule has few words', () => {
  expect(rules.size).toBeGreaterThan(100);
  const long = [...rules].filter(([, words]) => words.length > MOST_WORDS);
  expect(long.map(([id, { length }]) => `${id}: ${length} words`)).toEqual([]);
});

test('a rule is in the name of a test', () => {
  const named = new Set(names.flatMap(({ name }) => idsIn(name)));
  const said = [...rules].filter(([, words]) => words.length > 0);
  expect(said.flatMap(([id]) => (named.has(id) ? [] : [id]))).toEqual([]);
});

test('a test names rules that there are', () => {
  const strange = names.flatMap(({ file, name }) =>
    idsIn(name).flatMap((id) => (rules.has(id) ? [] : [`${file}: ${id} in “${name}”`])),
  );
  expect(strange).toEqual([]);
});
