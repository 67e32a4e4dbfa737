import { expect, test } from 'vitest';
import { parseTrace } from '../../shared/protocol/watch.ts';
import { peerId } from '../support.ts';

const message = { type: 'claim', term: 1, origin: peerId(1), priority: 1, hops: 1, lap: 0 };
const traceWith = (reason: string) => ({
  at: 1,
  first: 0,
  entries: [{ type: 'received', at: 1, message, from: peerId(2), outcome: 'forwarded', reason }],
  lost: 0,
});

test('a reason of a peer, which spectators draw and save, is plain text', () => {
  expect(parseTrace(traceWith('greater claim'))).toMatchObject({ ok: true });
  for (const reason of ['\u001b[31m', '\u009b31m', '\u202eevil', 'a\nb', 'x'.repeat(65)])
    expect(parseTrace(traceWith(reason))).toMatchObject({ ok: false });
});
