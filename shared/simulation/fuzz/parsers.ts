/** Parsers under arbitrary inputs: each is parsed, or refused in words; nothing is thrown. */
import { encodeFrame, parseFrame } from '../../protocol/frame.ts';
import {
  parseLinkId,
  parsePeerId,
  parseRoomName,
  type Parsed,
  type PeerId,
} from '../../protocol/ids.ts';
import {
  isRequestType,
  parseLeaveRequest,
  parseReplyTo,
  parseRequest,
  parseSignalDelivery,
  parseTicket,
  parseView,
  SIGNALING_VERSION,
  type RequestType,
} from '../../protocol/signaling.ts';
import { Dice } from './dice.ts';
import { anyFrame } from './frames.ts';

type Parser = (input: unknown) => Parsed<unknown>;

const bodyOf =
  (type: RequestType): Parser =>
  (body) => {
    const request = parseRequest(type, body);
    return request.ok ? { ok: true, value: request.value.body } : request;
  };

const replyTo =
  (type: RequestType): Parser =>
  (reply) =>
    parseReplyTo(type, reply);

/** Each parser of Socket.IO messages, with an input that it accepts. */
function signalingParsers(dice: Dice): readonly (readonly [Parser, unknown])[] {
  const id = () => dice.peerId();
  const signals = () => [
    dice.pick([
      { type: 'offer', sdp: 'v=0' },
      { type: 'answer', sdp: '' },
      { type: 'candidate', candidate: { candidate: '', sdpMLineIndex: 0, sdpMid: null } },
      { type: 'relay' },
      { type: 'closed' },
      { type: 'frame', frame: dice.bytes(dice.below(64)) },
    ]),
  ];
  const offer = () => ({ link: dice.linkId(), signals: signals() });
  const claimant = {
    version: SIGNALING_VERSION,
    room: 'lobby',
    id: id(),
    secret: 'a secret of sixteen',
  };
  const view = {
    incarnation: 'e',
    era: dice.pick([null, dice.number(32)]),
    version: 1 + dice.number(32),
    size: 1 + dice.number(16),
    successor: { id: id(), link: dice.linkId() },
    predecessor: { id: id(), link: null },
    removed: [id(), id()],
    ticket: 'any text',
  };
  const policy = dice.pick(['highest', 'incumbent']);
  const place = { incarnation: 'e', version: 7, successor: id(), predecessor: id() };
  const facts = { key: null, host: 'a digest', isLocked: false, revision: 3, turnedOut: [id()] };
  const ticket = { room: 'lobby', id: id(), policy, era: dice.number(32), ...place, facts };
  const refusal = { ok: false, code: 'room-full', message: 'come back later' };
  const offers = { successor: offer(), predecessor: offer() };
  const order = dice.pick([{ do: 'claim' }, { do: 'lock' }, { do: 'turn out', id: id() }]);
  const version = SIGNALING_VERSION;
  const fault = dice.pick(['silent', 'unlinked', 'misbehaves']);
  const granted = { ok: true, view, policy };
  const membership = { ok: true, isMember: dice.pick([true, false]) };
  /** What may come with each request, and the reply where it is not refused. */
  const exchanges: Readonly<Record<RequestType, { body: unknown; reply: unknown }>> = {
    join: {
      body: { ...claimant, policy, key: dice.pick([null, 'a key']), offers },
      reply: granted,
    },
    resume: { body: { ...claimant, ticket: 'any text', removed: [id()] }, reply: granted },
    signal: { body: { to: id(), edge: 'successor', ...offer() }, reply: { ok: true } },
    settle: { body: null, reply: { ok: true, era: dice.number(32), ticket: '' } },
    complain: { body: { about: id(), fault }, reply: membership },
    lookup: { body: id(), reply: membership },
    leave: { body: null, reply: { ok: true } },
    govern: {
      body: { version, room: 'lobby', host: 'a key', key: null, order },
      reply: { ok: true, isLocked: false },
    },
  };
  const ofRequests = Object.entries(exchanges).flatMap(([type, { body, reply }]) =>
    isRequestType(type)
      ? [[bodyOf(type), body] as const, [replyTo(type), dice.pick([reply, refusal])] as const]
      : [],
  );
  return [
    ...ofRequests,
    [parseLeaveRequest, { room: 'lobby', id: id(), secret: claimant.secret }],
    [parseSignalDelivery, { from: id(), edge: 'predecessor', ...offer() }],
    [parseView, view],
    [parseTicket, ticket],
    [parsePeerId, id()],
    [parseRoomName, 'lobby'],
    [parseLinkId, 7],
  ];
}

const SEEN = 64;

export class ParserFuzz {
  readonly #dice: Dice;
  readonly #ids: readonly PeerId[];
  /** The last inputs that could be parsed: new ones are made from them. */
  readonly #seen: Uint8Array[] = [];
  read = 0;
  refused = 0;

  /** @param seed repeats the run exactly */
  constructor(seed: number) {
    this.#dice = new Dice(seed);
    this.#ids = Array.from({ length: 4 }, () => this.#dice.peerId());
  }

  /**
   * One input for a parser.
   * @throws Error that says what is wrong with the parser
   */
  next(): void {
    const isRead = this.#dice.chance(0.6) ? this.#frame() : this.#signaling();
    if (isRead) this.read += 1;
    else this.refused += 1;
  }

  #frame(): boolean {
    const dice = this.#dice;
    const knowledge = {
      ids: this.#ids,
      term: dice.number(16),
      sender: dice.pick(this.#ids),
      link: dice.linkId(),
      seen: this.#seen,
    };
    const bytes = dice.chance(0.5)
      ? anyFrame(dice, knowledge)
      : dice.mutated(anyFrame(dice, knowledge));
    const before = bytes.slice();
    const parsed = parseFrame(bytes);
    if (bytes.some((byte, at) => byte !== before[at])) throw new Error('the input was changed');
    if (!parsed.ok) {
      if (parsed.error === '') throw new Error('refused without a word');
      return false;
    }
    const written = encodeFrame(parsed.value.message, parsed.value.extensions);
    const again = parseFrame(written);
    if (!again.ok) throw new Error(`read, and once written again refused: ${again.error}`);
    if (String(encodeFrame(again.value.message, again.value.extensions)) !== String(written))
      throw new Error('read twice, two different messages');
    if (this.#seen.length < SEEN) this.#seen.push(bytes);
    else this.#seen[dice.below(SEEN)] = bytes;
    return true;
  }

  #signaling(): boolean {
    const dice = this.#dice;
    const [parser, valid] = dice.pick(signalingParsers(dice));
    const input = dice.chance(0.1) ? valid : distorted(dice, valid, 4);
    const parsed = parser(input);
    if (!parsed.ok) {
      if (!/\w+ \w+/.test(parsed.error)) throw new Error(`refused with "${parsed.error}"`);
      if (input === valid) throw new Error(`in order and refused: ${parsed.error}`);
      return false;
    }
    const again = parser(parsed.value);
    if (!again.ok) throw new Error(`read, and what was read is refused: ${again.error}`);
    return true;
  }
}

/** The same with another value somewhere in it. */
function distorted(dice: Dice, value: unknown, depth: number): unknown {
  if (depth === 0 || typeof value !== 'object' || value === null || dice.chance(0.1))
    return anything(dice, depth);
  if (Array.isArray(value)) {
    const items = Array.from<unknown>(value);
    if (dice.chance(0.2))
      return Array.from({ length: dice.pick([0, 2, 64, 65, 257]) }, () => items[0]);
    const at = dice.below(items.length);
    items[at] = distorted(dice, items[at], depth - 1);
    return items;
  }
  const fields: [string, unknown][] = Object.entries(value);
  const at = dice.below(fields.length);
  const [name = '', field] = fields[at] ?? [];
  switch (dice.weighted(CHANGES)) {
    case 'remove':
      fields.splice(at, 1);
      break;
    case 'add':
      fields.push([dice.pick(NAMES), anything(dice, depth - 1)]);
      break;
    case 'change':
      fields[at] = [name, distorted(dice, field, depth - 1)];
  }
  return Object.fromEntries(fields);
}

const CHANGES = [
  [1, 'remove'],
  [1, 'add'],
  [5, 'change'],
] as const;

const NAMES = ['__proto__', 'constructor', 'toString', 'id', 'ok', 'type', '', 'length', '0'];

/** Values that are often mistaken for others, or too long. */
function anything(dice: Dice, depth: number): unknown {
  switch (dice.below(12)) {
    case 0:
      return dice.pick([null, undefined, true, false, '', 0, -1, 0.5]);
    case 1:
      return dice.pick([NaN, Infinity, -0, Number.MAX_SAFE_INTEGER + 1, 2 ** 53, 10n, Symbol('s')]);
    case 2:
      return dice.number(32);
    case 3:
      return dice.peerId();
    case 4:
      return dice.peerId().toUpperCase();
    case 5:
      return 'x'.repeat(dice.pick([1, 16, 64, 65, 1_025, 16_385]));
    case 6:
      return dice.bytes(dice.pick([0, 1, 4_096, 4_097]));
    case 7:
      return dice.bytes(8).buffer;
    case 8:
      return dice.pick(['offer', 'frame', 'relay', 'successor', 'highest', 'lobby\n', '\u0000']);
    case 9:
      return depth <= 0
        ? []
        : Array.from({ length: dice.below(4) }, () => anything(dice, depth - 1));
    case 10:
      return Object.create(null);
    default:
      return depth <= 0 ? {} : { [dice.pick(NAMES)]: anything(dice, depth - 1) };
  }
}
