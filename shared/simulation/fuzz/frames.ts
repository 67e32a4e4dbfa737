/** Frames as a hostile or broken neighbour may send them. */
import { encodeFrame, type Extension } from '../../protocol/frame.ts';
import type { LinkId, PeerId } from '../../protocol/ids.ts';
import type { Claim, Decision, PeerMessage } from '../../protocol/messages.ts';
import { MAX_TERM_LEAP } from '../../member/admission.ts';
import type { Dice } from './dice.ts';

/** What the sender knows, so that its lies are plausible. */
export interface Knowledge {
  readonly ids: readonly PeerId[];
  /** The receiver's state, as far as its neighbour can know it. */
  readonly term: number;
  readonly sender: PeerId;
  readonly link: LinkId;
  /** Frames that were valid once. */
  readonly seen: readonly Uint8Array[];
}

/** Anything from noise to a valid frame. */
export function anyFrame(dice: Dice, knowledge: Knowledge): Uint8Array {
  switch (dice.weighted(KINDS)) {
    case 'noise':
      return dice.bytes(dice.chance(0.02) ? 4_000 + dice.below(200) : dice.below(100));
    case 'nearly':
      return nearly(dice);
    case 'mutated':
      return dice.mutated(validFrame(dice, knowledge));
    case 'replayed':
      return knowledge.seen.length === 0 ? nearly(dice) : dice.pick(knowledge.seen);
    case 'valid':
      return validFrame(dice, knowledge);
  }
}

const KINDS = [
  [1, 'noise'],
  [1, 'nearly'],
  [3, 'mutated'],
  [3, 'replayed'],
  [12, 'valid'],
] as const;

/** Noise that begins like a frame. */
function nearly(dice: Dice): Uint8Array {
  const bytes = dice.bytes(1 + dice.below(100));
  bytes[0] = 0x10 | dice.below(7);
  return bytes;
}

/** A message that can be read, with arbitrary fields. */
function validFrame(dice: Dice, knowledge: Knowledge): Uint8Array {
  return encodeFrame(anyMessage(dice, knowledge), dice.chance(0.1) ? extensions(dice) : []);
}

export function anyMessage(dice: Dice, knowledge: Knowledge): PeerMessage {
  switch (dice.weighted(TYPES)) {
    case 'claim':
      return {
        type: 'claim',
        term: term(dice, knowledge.term),
        claim: claim(dice, knowledge),
        hops: hops(dice),
      };
    case 'elected':
      return {
        type: 'elected',
        term: term(dice, knowledge.term),
        decision: decision(dice, knowledge),
      };
    case 'hello':
      return {
        type: 'hello',
        id: dice.chance(0.9) ? knowledge.sender : dice.pick(knowledge.ids),
        link: dice.chance(0.95) ? knowledge.link : dice.linkId(),
        ready: dice.chance(0.5),
        term: term(dice, knowledge.term),
        decision: dice.chance(0.5) ? decision(dice, knowledge) : null,
        removed: Array.from({ length: dice.pick([0, 0, 1, 2, 16]) }, () => anyId(dice, knowledge)),
      };
    case 'bye':
      return { type: 'bye', reason: dice.pick(['leaving', 'relinked']) };
    case 'heartbeat':
      return { type: 'heartbeat', isReply: dice.chance(0.5), count: dice.number(16) };
    case 'pace':
      return {
        type: 'pace',
        hopDelay: dice.below(100),
        count: 1 + dice.number(16),
        by: anyId(dice, knowledge),
      };
  }
}

const TYPES = [
  [8, 'claim'],
  [8, 'elected'],
  [4, 'hello'],
  [1, 'bye'],
  [2, 'heartbeat'],
  [1, 'pace'],
] as const;

function anyId(dice: Dice, { ids }: Knowledge): PeerId {
  return dice.chance(0.8) ? dice.pick(ids) : dice.peerId();
}

const LEAPS = [MAX_TERM_LEAP - 1, MAX_TERM_LEAP, MAX_TERM_LEAP + 1];

/** Mostly terms near the receiver's, where they matter most. */
function term(dice: Dice, own: number): number {
  const near = own + dice.pick([-1, 0, 0, 0, 1, 1, 1, 2, ...LEAPS]);
  return Math.min(Math.max(dice.chance(0.85) ? near : dice.number(32), 1), 0xffff_fffe);
}

function hops(dice: Dice): number {
  return dice.chance(0.6) ? dice.pick([1, 1, 2, 3, 5]) : Math.max(1, dice.number(16));
}

function claim(dice: Dice, knowledge: Knowledge): Claim {
  return { priority: dice.chance(0.7) ? 1 : dice.number(8), id: anyId(dice, knowledge) };
}

function decision(dice: Dice, knowledge: Knowledge): Decision {
  const { priority, id } = claim(dice, knowledge);
  return {
    leader: { priority: Math.max(1, priority), id },
    lap: dice.chance(0.7) ? dice.below(30) : dice.number(32),
    size: Math.max(1, dice.chance(0.7) ? dice.below(6) : dice.number(16)),
    hops: hops(dice),
  };
}

function extensions(dice: Dice): Extension[] {
  return Array.from({ length: 1 + dice.below(3) }, () => ({
    type: dice.number(8),
    value: dice.bytes(dice.below(48)),
  }));
}
