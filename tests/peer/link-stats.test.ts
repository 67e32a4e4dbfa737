import { expect, test } from 'vitest';
import { readStats } from '../../peer/link-stats.ts';

const ENDS = [
  { type: 'local-candidate', id: 'l', candidateType: 'host' },
  { type: 'remote-candidate', id: 'r', candidateType: 'prflx' },
  { type: 'data-channel', id: 'd', bytesSent: 7, bytesReceived: 9 },
];
const pair = (more: object) => ({
  type: 'candidate-pair',
  id: 'p',
  localCandidateId: 'l',
  remoteCandidateId: 'r',
  currentRoundTripTime: 0.0125,
  ...more,
});
const SEEN = { candidates: { own: 'host', other: 'prflx' }, roundTrip: 12.5, sent: 7, received: 9 };

test('the pair in use is the one that the transport names, or the one that is marked', () => {
  const other = { ...pair({ currentRoundTripTime: 9 }), id: 'other' };
  const transport = { type: 'transport', selectedCandidatePairId: 'p' };
  expect(readStats([other, transport, pair({}), ...ENDS])).toEqual(SEEN);
  expect(readStats([other, pair({ selected: true }), ...ENDS])).toEqual(SEEN);
});

test('a missing or invalid value is unknown', () => {
  const nothing = { candidates: null, roundTrip: null, sent: null, received: null };
  expect(readStats([])).toEqual(nothing);
  expect(readStats([null, 7, 'x', {}, { type: 'data-channel', bytesSent: 'many' }])).toEqual(
    nothing,
  );
  const { candidates } = readStats([pair({ selected: true })]);
  expect(candidates).toEqual({ own: 'unknown', other: 'unknown' });
});

test('a relayed link counts what went over it', () => {
  const counted = readStats([{ type: 'data-channel', bytesSent: 1, bytesReceived: 2 }]);
  expect(counted).toMatchObject({ candidates: null, sent: 1, received: 2 });
});
