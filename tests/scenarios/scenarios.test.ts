import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { rulesOfSpecs } from '../spec-rules.ts';
import { play } from './script.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

function read(name: string): string {
  return readFileSync(`${FOLDER}${name}`, 'utf8');
}

describe('what happens is what the file says:', () => {
  test.each(FILES)('%s', async (name) => {
    const played = play(read(name), `tests/scenarios/${name}`);
    // With --update it is written to the file instead.
    await expect(played).toMatchFileSnapshot(`${FOLDER}${name}`);
  });
});

test('what the file says has no part in what happens', () => {
  const text = read('lone-start.txt');
  const changed = text.replace('sent my claim B', 'sent my claim A');
  expect(changed).not.toBe(text);
  expect(play(changed, 'changed')).toBe(text);
  const commands = text.replace(/^ {2}.*\n/gm, '');
  expect(play(commands, 'commands')).toBe(text);
});

test.each(FILES)('%s names rules that there are', (name) => {
  const rules = [...read(name).matchAll(/^Rules: (.+?)\./gm)].flatMap(([, list]) =>
    (list ?? '').split(', '),
  );
  expect(rules).not.toEqual([]);
  expect(rules.filter((rule) => !rulesOfSpecs().has(rule))).toEqual([]);
});

describe('a mistake in a file is told with its line:', () => {
  const ring = '> ring A B C\n\n';
  test.each([
    [
      'a command that there is not',
      '> stop A',
      'story.txt:1: “stop A” is not like any of: ring A B',
    ],
    ['a command with too little', '> hold A', 'story.txt:1: “hold A” is not like any of'],
    ['a peer that is not there', `${ring}> crash D`, 'story.txt:3: there is no peer D'],
    ['a peer that is there already', `${ring}> join B`, 'story.txt:3: B is here already'],
    [
      'a name without a rank',
      '> join X',
      'story.txt:1: a peer is one of the letters ABCDEFGHI, not X',
    ],
    [
      'a ring that is not the beginning',
      `${ring}> ring D E`,
      'story.txt:3: a ring can only be the',
    ],
    ['two of a name in a ring', '> ring A A', 'story.txt:1: A is here already'],
    ['a message that is not held', `${ring}> deliver A->B`, 'story.txt:3: nothing is held on A->B'],
    ['a direction that is not held', `${ring}> release A->B`, 'story.txt:3: A->B is not held'],
    [
      'a link that there is not',
      '> join A\n> cut A-B',
      'story.txt:2: there is no link between A and B',
    ],
    [
      'a lie to one that there is no link to',
      '> join A\n> join B\n> forge A->B claim C of term 2',
      'story.txt:3: there is no link between A and B',
    ],
    [
      'a policy that comes too late',
      `${ring}> policy incumbent`,
      'story.txt:3: a policy can only be the beginning',
    ],
    ['prose that is indented', 'A title\n\n  and more', 'story.txt:3: only what follows a command'],
    [
      'a ring that cannot agree',
      `${ring}> hold A->B\n> start C\n> until agreed`,
      'story.txt:5: no agreement within 60000 ms: C follows null, not C',
    ],
  ])('%s', (_, text, error) => {
    expect(() => play(text, 'story.txt')).toThrow(error);
  });
});
