/** Signaling events: valid ones pass unchanged, all others are refused in a sentence. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { parseLinkId, parsePeerId, parseRoomName, type Parsed } from '../../shared/protocol/ids.ts';
import {
  opposite,
  parseReplyTo,
  parseRequest,
  parseSignalDelivery,
  parseView,
  REFUSALS,
  SIGNALING_VERSION,
  type RequestType,
} from '../../shared/protocol/signaling.ts';
import { errorOf, peerId, valueOf } from '../support.ts';

const bodyOf =
  (type: RequestType) =>
  (input: unknown): Parsed<unknown> => {
    const request = parseRequest(type, input);
    return request.ok ? { ok: true, value: request.value.body } : request;
  };
const replyTo =
  (type: RequestType) =>
  (input: unknown): Parsed<unknown> =>
    parseReplyTo(type, input);

const parseJoinRequest = bodyOf('join');
const parseResumeRequest = bodyOf('resume');
const parseSignalRequest = bodyOf('signal');
const parseComplaint = bodyOf('complain');
const parseJoinReply = replyTo('join');
const parseReply = replyTo('signal');
const parseSettleReply = replyTo('settle');
const parseMembershipReply = replyTo('lookup');

// Many cases, and nothing in them waits: a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

const offerSignal = { type: 'offer', sdp: 'v=0' };
const answerSignal = { type: 'answer', sdp: 'v=0' };
const candidateSignal = {
  type: 'candidate',
  candidate: { candidate: 'candidate:1', sdpMLineIndex: 0, sdpMid: '0' },
};
const offer = { link: 1, signals: [offerSignal, candidateSignal] };
const joinRequest = {
  version: SIGNALING_VERSION,
  room: 'lobby',
  id: peerId(1),
  secret: '0123456789abcdef',
  policy: 'highest',
  key: null,
  offers: { successor: offer, predecessor: { ...offer, link: 0xffff_ffff } },
};
const signalRequest = { to: peerId(2), edge: 'successor', link: 7, signals: [answerSignal] };
const delivery = { from: peerId(2), edge: 'predecessor', link: 7, signals: [offerSignal] };
const view = {
  incarnation: 'monday',
  era: 1_700_000_000_000,
  version: 3,
  size: 4,
  successor: { id: peerId(2), link: null },
  predecessor: { id: peerId(3), link: 9 },
  removed: [peerId(4)],
  ticket: 'anything',
};
const refusal = { ok: false, code: 'room-full', message: 'come back later' };

type Parser = (input: unknown) => Parsed<unknown>;

type Accepted = readonly [string, Parser, readonly Readonly<Record<string, unknown>>[]];

const fromPeers: readonly Accepted[] = [
  ['join', parseJoinRequest, [joinRequest]],
  [
    'resume',
    parseResumeRequest,
    [
      {
        version: SIGNALING_VERSION,
        room: 'lobby',
        id: peerId(1),
        secret: '0123456789abcdef',
        ticket: 'anything',
        removed: [peerId(4)],
      },
    ],
  ],
  [
    'complaint',
    parseComplaint,
    [
      { about: peerId(2), fault: 'silent' },
      { about: peerId(2), fault: 'misbehaves' },
    ],
  ],
  [
    'signal to the server',
    parseSignalRequest,
    [
      signalRequest,
      { ...signalRequest, edge: 'predecessor', signals: [candidateSignal] },
      { ...signalRequest, signals: [{ type: 'relay' }, { type: 'closed' }] },
      { ...signalRequest, signals: [{ type: 'frame', frame: Uint8Array.of(1, 2, 3) }] },
    ],
  ],
];

const fromServer: readonly Accepted[] = [
  ['signal to a peer', parseSignalDelivery, [delivery]],
  ['view', parseView, [view, { ...view, era: null, removed: [] }]],
  [
    'reply to join',
    parseJoinReply,
    [{ ok: true, view, policy: 'incumbent' }, ...REFUSALS.map((code) => ({ ...refusal, code }))],
  ],
  ['reply', parseReply, [{ ok: true }, refusal]],
  ['reply to settle', parseSettleReply, [{ ok: true, era: 1, ticket: '' }, refusal]],
  ['reply on membership', parseMembershipReply, [{ ok: true, isMember: false }, refusal]],
];

describe.each([...fromPeers, ...fromServer])('a well-formed %s', (_, parser, inputs) => {
  test('passes whole', () => {
    for (const input of inputs) expect(valueOf(parser(input))).toEqual(input);
  });

  test('is refused with any field missing', () => {
    for (const input of inputs) {
      const fields = Object.entries(input);
      for (const [name] of fields) {
        const rest = Object.fromEntries(fields.filter(([other]) => other !== name));
        expect(errorOf(parser(rest))).toContain(name);
      }
    }
  });
});

test.each(fromPeers)('a %s with a field too many is refused', (_, parser, inputs) => {
  for (const input of inputs)
    expect(errorOf(parser({ ...input, surplus: 1 }))).toContain('surplus');
});

test.each(fromServer)(
  'a %s with a field too many is taken without it: servers are renewed under open pages',
  (_, parser, inputs) => {
    for (const input of inputs) expect(valueOf(parser({ ...input, surplus: 1 }))).toEqual(input);
  },
);

test('the name of a room ignores case', () => {
  const request = valueOf(parseJoinRequest({ ...joinRequest, room: 'Physics-4B' }));
  expect(request).toMatchObject({ room: 'physics-4b' });
  // Of other letters none becomes one by it, as the Kelvin sign does.
  expect(errorOf(parseJoinRequest({ ...joinRequest, room: '\u212A' }))).toMatch(/room name/);
});

function withSignals(signals: readonly unknown[]): unknown {
  return { ...signalRequest, signals };
}

const refused: readonly [string, Parser, unknown, RegExp][] = [
  ['nothing', parseJoinRequest, undefined, /object/i],
  ['null', parseJoinRequest, null, /object/i],
  ['a list', parseJoinRequest, [joinRequest], /^\w.*/],
  [
    'another version',
    parseJoinRequest,
    { ...joinRequest, version: SIGNALING_VERSION + 1 },
    /different versions/,
  ],
  [
    'a room with a space',
    parseJoinRequest,
    { ...joinRequest, room: 'my room' },
    /room name has 1 to 64/,
  ],
  [
    'a room without a name',
    parseJoinRequest,
    { ...joinRequest, room: '' },
    /room name has 1 to 64/,
  ],
  [
    'a room of 65 letters',
    parseJoinRequest,
    { ...joinRequest, room: 'a'.repeat(65) },
    /room name has 1 to 64/,
  ],
  ['an id that is no uuid', parseJoinRequest, { ...joinRequest, id: 'me' }, /uuid in lower case/],
  [
    'an id in upper case',
    parseJoinRequest,
    { ...joinRequest, id: 'AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA' },
    /uuid in lower case/,
  ],
  [
    'a secret that is easily guessed',
    parseJoinRequest,
    { ...joinRequest, secret: 'short' },
    /^secret: /,
  ],
  [
    'a secret without end',
    parseJoinRequest,
    { ...joinRequest, secret: 'x'.repeat(65) },
    /^secret: /,
  ],
  [
    'no offer to the successor',
    parseJoinRequest,
    { ...joinRequest, offers: { predecessor: offer } },
    /successor/,
  ],
  [
    'no offer to the predecessor',
    parseJoinRequest,
    { ...joinRequest, offers: { successor: offer } },
    /predecessor/,
  ],
  [
    'an offer without signals',
    parseJoinRequest,
    { ...joinRequest, offers: { successor: offer, predecessor: { link: 1, signals: [] } } },
    /^offers\.predecessor\.signals: /,
  ],
  ['link 0', parseSignalRequest, { ...signalRequest, link: 0 }, /^link: /],
  ['a link of 33 bits', parseSignalRequest, { ...signalRequest, link: 2 ** 32 }, /^link: /],
  ['half a link', parseSignalRequest, { ...signalRequest, link: 1.5 }, /^link: /],
  ['a link in letters', parseSignalRequest, { ...signalRequest, link: '7' }, /^link: /],
  ['a third edge', parseSignalRequest, { ...signalRequest, edge: 'across' }, /^edge: /],
  ['no signals', parseSignalRequest, withSignals([]), /^signals: /],
  [
    '65 signals',
    parseSignalRequest,
    withSignals(Array.from({ length: 65 }, () => offerSignal)),
    /^signals: /,
  ],
  [
    'an unknown signal',
    parseSignalRequest,
    withSignals([{ type: 'rollback', sdp: '' }]),
    /^signals\.0\.type: /,
  ],
  [
    'a description of 16,385 characters',
    parseSignalRequest,
    withSignals([{ type: 'offer', sdp: 'x'.repeat(16_385) }]),
    /^signals\.0\.sdp: /,
  ],
  [
    'a candidate of 1,025 characters',
    parseSignalRequest,
    withSignals([
      {
        type: 'candidate',
        candidate: { candidate: 'x'.repeat(1_025), sdpMLineIndex: 0, sdpMid: '0' },
      },
    ]),
    /^signals\.0\.candidate\.candidate: /,
  ],
  [
    'an offer with a candidate in it',
    parseSignalRequest,
    withSignals([{ ...offerSignal, candidate: 1 }]),
    /candidate/,
  ],
  ['a sender put in by itself', parseSignalRequest, { ...signalRequest, from: peerId(9) }, /from/],
  ['version 0', parseView, { ...view, version: 0 }, /^version: /],
  ['nobody in the room', parseView, { ...view, size: 0 }, /^size: /],
  ['no incarnation', parseView, { ...view, incarnation: '' }, /^incarnation: /],
  [
    'a neighbour without an id',
    parseView,
    { ...view, successor: { link: null } },
    /^successor\.id: /,
  ],
  [
    '257 removed peers',
    parseView,
    { ...view, removed: Array.from({ length: 257 }, (_, at) => peerId(at)) },
    /^removed: /,
  ],
  ['a refusal of no known kind', parseReply, { ...refusal, code: 'mood' }, /^code: /],
  ['a reply that is neither yes nor no', parseJoinReply, { ok: 'perhaps', view }, /^ok: /],
];

describe('malformed input', () => {
  test.each(refused)(
    '%s is refused in a sentence that names the place',
    (_, parser, input, sentence) => {
      expect(errorOf(parser(input))).toMatch(sentence);
    },
  );

  const everyParser: readonly Parser[] = [
    ...[...fromPeers, ...fromServer].map(([, parser]) => parser),
    parsePeerId,
    parseRoomName,
    parseLinkId,
  ];

  test('nothing whatever makes a parser throw', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true, withMap: true }),
        (input) => {
          for (const parser of everyParser) {
            const parsed = parser(input);
            if (!parsed.ok) expect(parsed.error).toMatch(/\w+ \w+/);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('nor does a well-formed request with anything in place of one of its fields', () => {
    const field = fc.constantFrom(...Object.keys(joinRequest));
    fc.assert(
      fc.property(field, fc.anything(), (name, value) => {
        const parsed = parseJoinRequest({ ...joinRequest, [name]: value });
        const taken = name === 'room' && typeof value === 'string' ? value.toLowerCase() : value;
        if (parsed.ok) expect(parsed.value).toEqual({ ...joinRequest, [name]: taken });
        else expect(parsed.error).toContain(name === 'version' ? 'version' : name);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('ids', () => {
  test('a uuid in upper case is taken in lower case', () => {
    expect(valueOf(parsePeerId('AAAAAAAA-AAAA-4AAA-8AAA-00000000000A'))).toBe(
      'aaaaaaaa-aaaa-4aaa-8aaa-00000000000a',
    );
  });

  test.each([
    '',
    'aaaaaaaa',
    'aaaaaaaa-aaaa-4aaa-8aaa-00000000000g',
    ' aaaaaaaa-aaaa-4aaa-8aaa-000000000000',
    'aaaaaaaa-aaaa-4aaa-8aaa-000000000000\n',
  ])('%j is no peer id', (text) => {
    expect(errorOf(parsePeerId(text))).toBe('a peer id is a uuid in lower case');
  });

  test('an edge seen from its other end is the opposite one', () => {
    expect(opposite('successor')).toBe('predecessor');
    expect(opposite('predecessor')).toBe('successor');
  });
});
