/** Peer frames: what is written is read back, and everything else is refused in words. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  encodeFrame,
  MAX_FRAME_BYTES,
  MAX_REMOVED_IN_HELLO,
  parseFrame,
} from '../../shared/protocol/frame.ts';
import { parsePeerId } from '../../shared/protocol/ids.ts';
import type { HelloMessage, PeerMessage } from '../../shared/protocol/messages.ts';
import { seededRandom } from '../../shared/simulation/random.ts';
import { defined, errorOf, linkId, peerId, valueOf } from '../support.ts';
import { extensions, message } from './arbitraries.ts';

// Many cases, and nothing in them waits: a busy machine may take its time.
vi.setConfig({ testTimeout: 60_000 });

const ALICE = valueOf(parsePeerId('00112233-4455-4677-8899-aabbccddeeff'));
const BOB = valueOf(parsePeerId('01234567-89ab-4def-8123-456789abcdef'));

const CLAIM: PeerMessage = {
  type: 'claim',
  term: 0x01020304,
  claim: { priority: 200, id: ALICE },
  hops: 0x0506,
};
const ELECTED: PeerMessage = {
  type: 'elected',
  term: 7,
  decision: { leader: { priority: 1, id: ALICE }, lap: 0x0a0b0c0d, size: 60, hops: 3 },
};
const HELLO: HelloMessage = {
  type: 'hello',
  id: BOB,
  link: linkId(0xdeadbeef),
  ready: false,
  term: 0,
  decision: null,
  removed: [],
};
const FULL_HELLO: HelloMessage = {
  ...HELLO,
  ready: true,
  term: 7,
  decision: { leader: { priority: 1, id: ALICE }, lap: 2, size: 60, hops: 0 },
  removed: [ALICE, BOB],
};

const A = '00112233445546778899aabbccddeeff';
const B = '0123456789ab4def8123456789abcdef';

const golden: readonly { name: string; message: PeerMessage; hex: string; bytes: number }[] = [
  { name: 'CLAIM', message: CLAIM, bytes: 25, hex: `1100 01020304 0506 c8 ${A}` },
  { name: 'ELECTED', message: ELECTED, bytes: 31, hex: `1200 00000007 0003 01 ${A} 0a0b0c0d 003c` },
  { name: 'HELLO', message: HELLO, bytes: 26, hex: `1300 00000000 deadbeef ${B}` },
  {
    name: 'HELLO of a member',
    message: FULL_HELLO,
    bytes: 86,
    hex: `1303 00000007 deadbeef ${B} 0000 01 ${A} 00000002 003c 01 0020 ${A} ${B}`,
  },
  { name: 'BYE, leaving', message: { type: 'bye', reason: 'leaving' }, bytes: 3, hex: '1400 00' },
  { name: 'BYE, relinked', message: { type: 'bye', reason: 'relinked' }, bytes: 3, hex: '1400 01' },
  {
    name: 'PACE',
    message: { type: 'pace', hopDelay: 2_000, count: 3, by: CLAIM.claim.id },
    bytes: 24,
    hex: `1600 07d0 00000003 ${A}`,
  },
];

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

function refusalOf(hex: string): string {
  return errorOf(parseFrame(fromHex(hex)));
}

describe.each(golden)('$name', ({ message: said, hex, bytes }) => {
  test(`is ${bytes} bytes long and looks as it always has`, () => {
    const frame = encodeFrame(said);
    expect(Buffer.from(frame).toString('hex')).toBe(hex.replaceAll(' ', ''));
    expect(frame).toHaveLength(bytes);
  });

  test('is read back from those bytes', () => {
    expect(valueOf(parseFrame(fromHex(hex)))).toEqual({ message: said, extensions: [] });
  });

  test('is refused when cut short at any length', () => {
    const frame = encodeFrame(said);
    // Cut just before its last extension, a HELLO is complete, but says less.
    const whole = said === FULL_HELLO ? [51] : [];
    for (let length = 0; length < frame.length; length += 1)
      if (!whole.includes(length))
        expect(errorOf(parseFrame(frame.slice(0, length)))).toBe(`truncated after ${length} bytes`);
  });
});

describe('any message', () => {
  test('comes back as it was sent, with the extensions that nobody here understands', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(message, extensions, (said, along) => {
        seen.add(said.type);
        const frame = encodeFrame(said, along);
        const read = valueOf(parseFrame(frame));
        expect(read).toEqual({ message: said, extensions: along });
        expect(encodeFrame(read.message, read.extensions)).toEqual(frame);
      }),
      { numRuns: 1_500 },
    );
    expect([...seen].toSorted()).toEqual(['bye', 'claim', 'elected', 'hello', 'pace']);
  });

  test('is read in only one way: different messages make different frames', () => {
    fc.assert(
      fc.property(message, message, (one, other) => {
        const same = Buffer.compare(encodeFrame(one), encodeFrame(other)) === 0;
        expect(same).toBe(JSON.stringify(sorted(one)) === JSON.stringify(sorted(other)));
      }),
      { numRuns: 1_000 },
    );
  });
});

/** The same message with its fields in the order of their names. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, sorted(inner)]);
}

describe('extensions', () => {
  test('a type that only HELLO knows is relayed unread in a CLAIM', () => {
    const along = [{ type: 1, value: fromHex('abcdef') }];
    const frame = encodeFrame(CLAIM, along);
    expect(valueOf(parseFrame(frame))).toEqual({ message: CLAIM, extensions: along });
  });

  test('several of one type keep their number and order', () => {
    const along = ['01', '', '02'].map((hex) => ({ type: 9, value: fromHex(hex) }));
    expect(valueOf(parseFrame(encodeFrame(ELECTED, along))).extensions).toEqual(along);
  });

  test('a HELLO tells of the newest departures only', () => {
    const removed = Array.from({ length: 20 }, (_, at) => peerId(at));
    const read = valueOf(parseFrame(encodeFrame({ ...HELLO, removed }))).message;
    expect(read).toEqual({ ...HELLO, removed: removed.slice(20 - MAX_REMOVED_IN_HELLO) });
  });

  test('removed peers that are no whole number of ids, or too many, are refused', () => {
    const hello = `1300 00000000 deadbeef ${B}`;
    expect(refusalOf(`${hello} 01 000f ${A.slice(2)}`)).toBe('15 bytes of removed peers');
    expect(refusalOf(`${hello} 01 0110 ${A.repeat(17)}`)).toBe('272 bytes of removed peers');
  });

  test('one that claims to be longer than the frame is refused', () => {
    expect(refusalOf(`1400 00 09 0004 aabbcc`)).toBe('truncated after 9 bytes');
  });
});

describe('a frame that is not one', () => {
  test('is refused above the size limit and read at it', () => {
    const filled = (size: number): Uint8Array =>
      encodeFrame(CLAIM, [{ type: 7, value: new Uint8Array(size - 25 - 3) }]);
    expect(filled(MAX_FRAME_BYTES)).toHaveLength(4_096);
    expect(parseFrame(filled(MAX_FRAME_BYTES)).ok).toBe(true);
    expect(errorOf(parseFrame(filled(MAX_FRAME_BYTES + 1)))).toBe('4097 bytes, more than 4096');
  });

  test.each([0, 2, 15])('is refused in version %i', (version) => {
    const frame = encodeFrame(CLAIM);
    frame[0] = (version << 4) | 1;
    expect(errorOf(parseFrame(frame))).toBe(`version ${version}, not 1`);
  });

  test.each([0, 7, 15])('is refused with the unknown type %i', (type) => {
    const frame = encodeFrame(CLAIM);
    frame[0] = 0x10 | type;
    expect(errorOf(parseFrame(frame))).toBe(`unknown type ${type}`);
  });

  test.each([
    ['a PACE of more than two seconds', `1600 07d1 00000003 ${A}`, 'a hop delay of 2001 ms'],
    ['a PACE that counts nothing', `1600 07d0 00000000 ${A}`, 'a setting without a count'],
    ['a CLAIM of term 0', `1100 00000000 0001 01 ${A}`, 'term 0'],
    ['a CLAIM of the last term there is', `1100 ffffffff 0001 01 ${A}`, 'term 4294967295'],
    ['a CLAIM that made no hop', `1100 00000001 0000 01 ${A}`, '0 hops'],
    ['an ELECTED of term 0', `1200 00000000 0001 01 ${A} 00000000 0001`, 'term 0'],
    ['an ELECTED that made no hop', `1200 00000001 0000 01 ${A} 00000000 0001`, '0 hops'],
    ['an ELECTED of an empty ring', `1200 00000001 0001 01 ${A} 00000000 0000`, 'a ring of 0'],
    [
      'an ELECTED of one who never leads',
      `1200 00000001 0001 00 ${A} 00000000 0001`,
      'a leader of priority 0',
    ],
    ['a HELLO on link 0', `1300 00000000 00000000 ${B}`, 'link 0'],
    [
      'a HELLO with a leader and no term',
      `1302 00000000 00000001 ${B} 0001 01 ${A} 00000000 0001`,
      'term 0',
    ],
    ['a HELLO of the last term there is', `1300 ffffffff 00000001 ${B}`, 'term 4294967295'],
    [
      'a HELLO of an empty ring',
      `1302 00000001 00000001 ${B} 0001 01 ${A} 00000000 0000`,
      'a ring of 0',
    ],
    [
      'a HELLO whose leader never leads',
      `1302 00000001 00000001 ${B} 0001 00 ${A} 00000000 0001`,
      'a leader of priority 0',
    ],
    ['a BYE for no known reason', '1400 02', 'unknown reason 2 to say goodbye'],
  ])('%s is refused', (_, hex, error) => {
    expect(refusalOf(hex)).toBe(error);
  });
});

describe('bytes from anywhere', () => {
  const RUNS = 210;
  const INPUTS_PER_RUN = 1_000;
  const SAMPLES = golden.map(({ hex }) => fromHex(hex));

  function randomBytes(random: () => number, length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(random() * 256));
  }

  /** Noise, noise that begins like a frame, or a real frame with some bytes changed. */
  function input(random: () => number): Uint8Array {
    const dice = random();
    if (dice < 0.3) return randomBytes(random, Math.floor(random() * 100));
    if (dice < 0.31) return randomBytes(random, 4_000 + Math.floor(random() * 200));
    if (dice < 0.6) {
      const bytes = randomBytes(random, 1 + Math.floor(random() * 100));
      bytes[0] = 0x10 | Math.floor(random() * 6);
      return bytes;
    }
    const sample = defined(SAMPLES[Math.floor(random() * SAMPLES.length)]);
    const tail = random() < 0.7 ? [] : randomBytes(random, Math.floor(random() * 8));
    const bytes = Uint8Array.from([...sample, ...tail]);
    for (let changes = Math.floor(random() * 4); changes > 0; changes -= 1)
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    return bytes;
  }

  /** Whether the input was read; throws where it was neither read nor refused as it should be. */
  function isRead(bytes: Uint8Array): boolean {
    const before = bytes.slice();
    const parsed = parseFrame(bytes);
    if (Buffer.compare(before, bytes) !== 0) throw new Error('the input was changed');
    if (!parsed.ok) {
      if (parsed.error === '') throw new Error('refused without a word');
      return false;
    }
    const again = parseFrame(encodeFrame(parsed.value.message, parsed.value.extensions));
    if (!again.ok) throw new Error(`read, and once written again refused: ${again.error}`);
    return true;
  }

  test(`are never thrown at: ${RUNS * INPUTS_PER_RUN} inputs are read or refused in words`, () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.noShrink(fc.integer()), (seed) => {
        const random = seededRandom(seed);
        for (let i = 0; i < INPUTS_PER_RUN; i += 1) {
          const bytes = input(random);
          try {
            if (isRead(bytes)) accepted += 1;
          } catch (error) {
            throw new Error(`input ${i}, ${Buffer.from(bytes).toString('hex')}: ${String(error)}`, {
              cause: error,
            });
          }
        }
      }),
      { numRuns: RUNS },
    );
    // Both really occur.
    expect(accepted).toBeGreaterThan(RUNS * INPUTS_PER_RUN * 0.05);
    expect(accepted).toBeLessThan(RUNS * INPUTS_PER_RUN * 0.95);
  });
});
