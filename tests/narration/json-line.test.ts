import { expect, test } from 'vitest';
import { jsonLine } from '../../shared/narration/json-line.ts';
import type { RingEvent } from '../../shared/member/events.ts';
import { peerId, roomName } from '../support.ts';

const SELF = peerId(1);
const OTHER = peerId(2);
const AT = '2026-01-02T03:04:05.678Z';
const claim = { type: 'claim', term: 7, claim: { priority: 1, id: OTHER }, hops: 2 } as const;
const elected = {
  type: 'elected',
  term: 7,
  decision: { leader: { priority: 1, id: OTHER }, size: 3, lap: 2, hops: 1 },
} as const;
const judgement = {
  outcome: 'ignored',
  reason: 'smaller claim',
  compared: { to: 'own claim', claim: { priority: 1, id: SELF }, result: 'less' },
} as const;

const CASES: readonly (readonly [RingEvent, object])[] = [
  [
    { type: 'joined', id: SELF, room: roomName('lobby') },
    { event: 'joined', room: 'lobby' },
  ],
  [
    { type: 'neighbours', successor: OTHER, predecessor: SELF, removed: [], version: 3 },
    { event: 'neighbours', successor: OTHER, predecessor: SELF, removed: [] },
  ],
  [
    { type: 'link', edge: 'successor', kind: 'relayed', peer: OTHER, state: 'open', reason: '' },
    { event: 'link', successor: OTHER, link: 'relayed', state: 'open' },
  ],
  [
    { type: 'sent', message: claim, to: OTHER },
    { event: 'sent', to: OTHER, uuid: OTHER, flag: 0, term: 7 },
  ],
  [
    { type: 'received', message: claim, from: OTHER, judgement },
    { event: 'ignored', from: OTHER, uuid: OTHER, comparison: 'less', comparedTo: SELF },
  ],
  [
    { type: 'sent', message: elected, to: OTHER },
    { event: 'sent', uuid: OTHER, flag: 1, leader: OTHER, size: 3, lap: 2 },
  ],
  [
    { type: 'leader', leader: OTHER, term: 7, size: 3, isSelf: false },
    { event: 'leader', leader: OTHER, term: 7, size: 3 },
  ],
  [
    { type: 'server', state: 'reconnecting', reason: 'lost' },
    { event: 'server', state: 'reconnecting', what: 'server reconnecting', why: 'lost' },
  ],
  [
    { type: 'refused', code: 'room-full', message: 'full' },
    { event: 'error', code: 'room-full', why: 'full' },
  ],
  [{ type: 'left' }, { event: 'left' }],
  [{ type: 'vanished' }, { event: 'vanished' }],
  [
    { type: 'pace', hopDelay: 300, by: SELF },
    { event: 'pace', hopDelay: 300, by: SELF, why: 'set by me' },
  ],
];

test.each(CASES)('%j is one line, with time, teller and words', (event, fields) => {
  const line = jsonLine(event, SELF, AT);
  expect(line).not.toContain('\n');
  const words: unknown = expect.any(String);
  expect(JSON.parse(line)).toMatchObject({ at: AT, id: SELF, what: words, why: words, ...fields });
});

test('a line that stands for several says so', () => {
  expect(JSON.parse(jsonLine({ type: 'left' }, SELF, AT))).not.toHaveProperty('times');
  expect(JSON.parse(jsonLine({ type: 'left' }, SELF, AT, 4))).toMatchObject({ times: 4 });
});
