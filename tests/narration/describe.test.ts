import { describe as group, expect, test } from 'vitest';
import type { Judgement } from '../../shared/election/step.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import { classicLine } from '../../shared/narration/classic-line.ts';
import { describe } from '../../shared/narration/describe.ts';
import type { RingEvent } from '../../shared/member/events.ts';
import { peerId } from '../support.ts';

const SELF = peerId(1);
const OTHER = peerId(2);

/** A claim of the other peer, and what happened to it. */
function received(judgement: Judgement, priority = 1): RingEvent {
  const message = { type: 'claim', term: 7, claim: { priority, id: OTHER }, hops: 2 } as const;
  return { type: 'received', message, from: OTHER, judgement };
}

group('one reason that ends in two ways is told in two ways:', () => {
  test.each<[string, Judgement, string]>([
    [
      'R6, nothing was suppressed',
      { outcome: 'ignored', reason: 'its origin is gone', compared: null },
      'its origin has left the ring, so I ignored it',
    ],
    [
      'R6, something was',
      { outcome: 'answered', reason: 'its origin is gone', compared: null },
      'its origin has left the ring, so I started a new term instead of forwarding it',
    ],
    [
      'R2a, another’s claim at a peer of priority 0',
      { outcome: 'forwarded', reason: 'never leads', compared: null },
      'I never lead, so I only passed it on',
    ],
    [
      'R2b, its own',
      { outcome: 'ignored', reason: 'never leads', compared: null },
      'my own, but I never lead, so I ignored it',
    ],
  ])('%s', (_, judgement, why) => {
    const event = received(judgement);
    expect(describe(event, SELF).why).toBe(why);
    expect(classicLine(event, SELF, 'now')).toContain(`(${why})`);
  });
});

test('a priority is told where it is not the ordinary one', () => {
  const judgement: Judgement = {
    outcome: 'forwarded',
    reason: 'greater claim',
    compared: { to: 'own claim', claim: { priority: 0, id: SELF }, result: 'greater' },
  };
  expect(describe(received(judgement, 3), SELF)).toEqual({
    kind: 'received',
    what: 'received claim 00000000 (priority 3) of term 7 from 00000000',
    why: '> mine 00000000 (priority 0), so I forwarded it',
  });
  expect(describe(received(judgement), SELF).what).toBe(
    'received claim 00000000 of term 7 from 00000000',
  );
  expect(classicLine(received(judgement, 3), SELF, 'now')).toBe(
    `now Received: uuid=${OTHER}, flag=0, term=7, priority=3, greater, compared to ${SELF} (so I forwarded it)`,
  );
});

group('what is said of a neighbour to the server, and what comes of it:', () => {
  test.each([
    ['silent', 'is silent', 'the ring closes over it if nobody else can reach it, either'],
    [
      'misbehaves',
      'violates the protocol',
      'the ring closes over it, or over a peer that says so too often',
    ],
  ] as const)('%s', (fault, what, why) => {
    expect(describe({ type: 'complained', about: OTHER, fault }, SELF)).toEqual({
      kind: 'link',
      what: `complained to the server: 00000000 ${what}`,
      why,
    });
  });
});

test('peers are called what the caller of it wants, and oneself is spoken of as such', () => {
  const call = (id: PeerId) => (id === SELF ? 'a' : 'b');
  const message = { type: 'claim', term: 7, claim: { priority: 1, id: SELF }, hops: 1 } as const;
  const told = (event: RingEvent) => Object.values(describe(event, SELF, call)).join(' | ');
  expect(told({ type: 'sent', message, to: OTHER })).toBe(
    'sent | sent my claim a of term 7 to b | ',
  );
  expect(told({ type: 'sent', message, to: SELF })).toBe(
    'sent | sent my claim a of term 7 to myself | ',
  );
  const came = received({
    outcome: 'elected',
    reason: 'own claim came back',
    compared: { to: 'own claim', claim: message.claim, result: 'same' },
  });
  expect(told(came)).toBe(
    'received | received claim b of term 7 from b | = mine a: it went round the whole ring, so I am the leader',
  );
  const ends = { predecessor: OTHER, successor: OTHER, removed: [OTHER], version: 1 };
  expect(told({ type: 'neighbours', ...ends })).toBe(
    'neighbour | my predecessor is b, my successor b | gone: b',
  );
  expect(told({ type: 'leader', leader: SELF, term: 2, size: 3, isSelf: true })).toBe(
    'leader | I am the leader of term 2 | my claim went round a ring of 3',
  );
});
