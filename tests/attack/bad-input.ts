/** Visits to a server that no honest client makes. A seed repeats each exactly. */
import { seededRandom, randomUuid } from '../../shared/simulation/random.ts';
import { SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import { CROWD_ROOM, RING_ROOM } from './attacks.ts';

/** What stands in an input for what is only known later. */
export const HONEST_ID = '<id of an honest peer>';
export const OWN_TICKET = '<own ticket>';
export const OTHER_TICKET = '<ticket of another>';
export const NEIGHBOUR = '<neighbour>';

/** An event as Socket.IO sends it: its name, and what comes with it. */
interface BadEvent {
  readonly content: string;
  /** Whether an answer is asked for, without which the server ends the connection. */
  readonly isToAnswer: boolean;
}

/**
 * `events` come after an honest beginning, all at once or each after the answer to the last; one that is
 * deaf reads nothing. `frames` are texts on a WebSocket; `bytes` come on a connection that stays open after.
 */
export type Visit =
  | { readonly type: 'events'; readonly events: readonly BadEvent[]; readonly pace: Pace }
  | { readonly type: 'frames'; readonly frames: readonly string[] }
  | { readonly type: 'bytes'; readonly text: string };

type Pace = 'asks' | 'floods' | 'is deaf';

type Random = () => number;

const ROOMS = 8;
const MOST_EVENTS = 40;
const FLOOD = 60;
const NAMES = ['join', 'resume', 'signal', 'settle', 'complain', 'lookup', 'leave', 'govern'];
const OTHER_NAMES = ['way', 'trace', 'watch', 'view', 'ice', 'toString', '__proto__', ''];
/** Such as Socket.IO keeps for itself. */
const RESERVED = ['disconnect', 'connect_error', 'newListener'];

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

const upTo = (random: Random, most: number) => Math.floor(random() * (most + 1));

function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let at = 0; at < depth; at += 1) value = at % 2 === 0 ? [value] : { a: value };
  return value;
}

function anything(random: Random): unknown {
  const kinds: readonly (() => unknown)[] = [
    () => null,
    () => random() < 0.5,
    () => pick(random, [0, -1, 1.5, 1e308, 2 ** 53, 0xffff_ffff]),
    () => pick(random, ['', 'x', '__proto__', 'constructor', '\u0000', '\ud800', RING_ROOM]),
    () => 'x'.repeat(upTo(random, random() < 0.05 ? 60_000 : 300)),
    () => nested(upTo(random, random() < 0.1 ? 2_000 : 5)),
    () => Array.from({ length: upTo(random, 100) }, () => null),
    () => JSON.parse('{"__proto__":{"ok":true},"constructor":null}') as unknown,
    () => randomUuid(random),
    () => pick(random, [HONEST_ID, NEIGHBOUR, OWN_TICKET, OTHER_TICKET]),
  ];
  return pick(random, kinds)();
}

const offer = (random: Random) => ({
  link: 1 + upTo(random, 9),
  signals: [{ type: pick(random, ['offer', 'answer']), sdp: 'v=0' }],
});

/** In the honest ring's room only with an id that is another's. */
function placeOf(random: Random): object {
  const secret = randomUuid(random);
  return random() < 0.3
    ? { room: RING_ROOM, id: HONEST_ID, secret }
    : { room: `fuzz-${upTo(random, ROOMS - 1)}`, id: randomUuid(random), secret };
}

function ticketOf(random: Random): string {
  const forged = `ticket ${JSON.stringify({ room: RING_ROOM, id: HONEST_ID })}.made up`;
  return pick(random, [OWN_TICKET, OTHER_TICKET, forged, '', 'x'.repeat(upTo(random, 2_100))]);
}

/** What an honest client could send, but for when, and whose ids it has; null where nothing comes with it. */
function requestOf(random: Random, name: string): unknown {
  const version = random() < 0.95 ? SIGNALING_VERSION : upTo(random, 9);
  const about = () => pick(random, [HONEST_ID, NEIGHBOUR, randomUuid(random)]);
  switch (name) {
    case 'join': {
      const offers = { successor: offer(random), predecessor: offer(random) };
      return { version, ...placeOf(random), policy: 'highest', key: null, offers };
    }
    case 'resume':
      return { version, ...placeOf(random), ticket: ticketOf(random), removed: [] };
    case 'signal':
      return { to: about(), edge: pick(random, ['successor', 'predecessor']), ...offer(random) };
    case 'complain':
      return { about: about(), fault: pick(random, ['silent', 'unlinked', 'misbehaves']) };
    case 'lookup':
      return about();
    case 'watch':
      return {
        version,
        room: pick(random, [RING_ROOM, CROWD_ROOM, 'fuzz-1']),
        key: null,
        host: null,
      };
    case 'way':
      return pick(random, ['none', 'direct', 'turn', 'relayed']);
    case 'govern': {
      const order = pick(random, [
        { do: 'claim' },
        { do: 'lock' },
        { do: 'turn out', id: HONEST_ID },
      ]);
      const room = pick(random, [RING_ROOM, 'fuzz-2']);
      return { version, room, host: randomUuid(random), key: null, order };
    }
    default:
      return null;
  }
}

/** One of its fields, at any depth, becomes something else, or is taken away; or there is one more. */
function spoiled(random: Random, input: unknown): unknown {
  if (typeof input !== 'object' || input === null || random() < 0.1) return anything(random);
  const entries = Object.entries(input);
  const at = upTo(random, entries.length);
  const changed = entries.flatMap(([key, value], index) => {
    if (index !== at) return [[key, value]];
    return random() < 0.3 ? [] : [[key, spoiled(random, value)]];
  });
  if (at === entries.length) changed.push(['further', anything(random)]);
  return Array.isArray(input)
    ? changed.map(([, value]) => value as unknown)
    : (Object.fromEntries(changed) as unknown);
}

function eventOf(random: Random): BadEvent {
  const share = random();
  const name = pick(random, share < 0.9 ? NAMES : share < 0.995 ? OTHER_NAMES : RESERVED);
  const isBare = name === 'settle' || name === 'leave';
  const request = requestOf(random, name);
  const body = random() < 0.4 ? spoiled(random, request) : request;
  const parameters = isBare && random() < 0.9 ? [] : [body];
  // With one too many, what takes the answer is not where it should be.
  if (random() < 0.01) parameters.push(anything(random));
  return { content: JSON.stringify([name, ...parameters]), isToAnswer: random() > 0.005 };
}

function frameOf(random: Random): string {
  const frames: readonly (() => string)[] = [
    () => '40',
    () => `40/${'x'.repeat(upTo(random, 500))},`,
    () => '41',
    () => '42',
    () => `42${'9'.repeat(upTo(random, 400))}["join"]`,
    () => `42${JSON.stringify(anything(random))}`,
    () => '43999["ok"]',
    () => '451-["join",{"_placeholder":true,"num":0}]',
    () => `45${upTo(random, 99)}-["signal",{"_placeholder":true,"num":-1}]`,
    () => pick(random, ['2', '2probe', '3', '5', '6', '1', '0', '9', '']),
    () => 'x'.repeat(upTo(random, 70_000)),
  ];
  return pick(random, frames)();
}

function bytesOf(random: Random): string {
  const host = 'Host: 127.0.0.1\r\n';
  const leave = JSON.stringify({ room: RING_ROOM, id: HONEST_ID, secret: randomUuid(random) });
  const texts: readonly (() => string)[] = [
    () => '',
    () => 'GET / HT',
    () => `GET /${'x'.repeat(upTo(random, 20_000))} HTTP/1.1\r\n${host}\r\n`,
    () => `${pick(random, ['PUT', 'TRACE', 'BREW', 'GET'])} /healthz HTTP/1.1\r\n${host}\r\n`,
    () => `GET /../../etc/passwd HTTP/1.1\r\n${host}\r\n`,
    () => `GET / HTTP/1.1\r\nHost: ${'x'.repeat(upTo(random, 200))}\r\n\r\n`,
    () => `POST /leave HTTP/1.1\r\n${host}Content-Length: ${leave.length}\r\n\r\n${leave}`,
    () => `POST /leave HTTP/1.1\r\n${host}Content-Length: 999999\r\n\r\n{`,
    () => `POST /leave HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    () => `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n${host}Upgrade: websocket\r\n\r\n`,
    () => `GET /socket.io/?EIO=${upTo(random, 9)}&transport=polling HTTP/1.1\r\n${host}\r\n`,
    () => Array.from({ length: 200 }, () => String.fromCharCode(upTo(random, 255))).join(''),
  ];
  return pick(random, texts)();
}

export function visitOf(seed: number): Visit {
  const random = seededRandom(seed);
  const share = random();
  if (share < 0.08) return { type: 'bytes', text: bytesOf(random) };
  const count = 1 + upTo(random, MOST_EVENTS - 1);
  if (share < 0.14)
    return { type: 'frames', frames: Array.from({ length: count }, () => frameOf(random)) };
  const events = Array.from({ length: count }, () => eventOf(random));
  const paces = ['asks', 'asks', 'asks', 'floods', 'is deaf'] as const;
  // The same again and again: what was right the first time is a replay.
  if (random() < 0.03)
    return { type: 'events', events: Array<BadEvent>(FLOOD).fill(eventOf(random)), pace: 'floods' };
  return { type: 'events', events, pace: pick(random, paces) };
}
