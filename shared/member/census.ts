/**
 * The whole ring as the leader's laps find it (SPEC.md, C1 to C3). Each peer writes itself into the
 * lap that passes through it; the leader gets the list back and sends it along with its next laps. It
 * serves the picture only: no decision of the election rests on it.
 */
import { ByteReader, ByteWriter, InvalidFrame } from '../protocol/bytes.ts';
import { MAX_FRAME_BYTES, type Extension } from '../protocol/frame.ts';
import type { PeerId } from '../protocol/ids.ts';
import type { ElectedMessage, ElectionMessage } from '../protocol/messages.ts';
import type { Seat, WholeRing } from './events.ts';

/** More peers than this are counted and not named: the frame has to stay small. */
const MAX_SEATS = 100;

const EXTENSION_CENSUS = 2;
const EXTENSION_RING = 3;
const LINKS = ['direct', 'relayed', 'connecting'] as const;
const SEAT_BYTES = 17;

/** What an announcement takes without extensions. */
const BODY_BYTES = 31;

/** A ring that has not changed is told again after so many laps: a peer may have missed it. */
const LAPS_UNCHANGED = 4;

/** How often a change is told: one of the laps may be lost. */
const TIMES_TOLD = 2;

/** What a lap has gathered on its way. */
interface Tally {
  readonly messages: number;
  readonly seats: readonly Seat[];
}

export interface Census {
  ring: WholeRing | null;
  /** The election messages that this peer has sent in a term. */
  sent: { readonly term: number; readonly messages: number };
  /** In how many laps the leader still has to tell the others of the ring that it knows. */
  toTell: number;
}

export function initialCensus(): Census {
  return { ring: null, sent: { term: 0, messages: 0 }, toTell: 0 };
}

/**
 * Takes what came with an announcement that was adopted or came home.
 * @param isHome whether this peer leads and the announcement has been round
 * @returns whether there is news of the ring
 */
export function takeCensus(
  census: Census,
  message: ElectedMessage,
  extensions: readonly Extension[],
  isHome: boolean,
): boolean {
  const { term, decision } = message;
  const told = read(extensions, isHome ? EXTENSION_CENSUS : EXTENSION_RING);
  if (told === null) return false;
  // A peer that cannot be written in goes uncounted: a list with gaps is no ring.
  const isWhole = told.seats.length === decision.hops || !isHome;
  // A peer that has left took its part of the sum along, and its messages were sent all the same.
  const before = census.ring?.term === term ? census.ring.messages : 0;
  const messages = Math.max(before, told.messages);
  const ring = { term, messages, seats: isWhole ? told.seats : [] };
  if (JSON.stringify(ring) === JSON.stringify(census.ring)) return false;
  census.ring = ring;
  census.toTell = TIMES_TOLD;
  return true;
}

/**
 * What goes along with a message that is sent now.
 * @param self this peer, and by what it passes messages on
 * @param received what came with the message, where it is passed on
 */
export function extensionsFor(
  census: Census,
  self: Seat,
  message: ElectionMessage,
  received: readonly Extension[],
): readonly Extension[] {
  if (message.type === 'claim' || message.decision.lap === 0) {
    count(census, message.term);
    return received;
  }
  const { term, decision } = message;
  const isOwn = decision.leader.id === self.id;
  const others = received.filter(
    ({ type }) => type !== EXTENSION_CENSUS && type !== EXTENSION_RING,
  );
  const before = isOwn ? { messages: 0, seats: [] } : read(received, EXTENSION_CENSUS);
  const ring = isOwn ? ringToTell(census, term, decision.lap) : read(received, EXTENSION_RING);
  const added: Extension[] = [];
  if (before !== null) added.push(write(EXTENSION_CENSUS, withSelf(census, before, self, term)));
  if (ring !== null) added.push(write(EXTENSION_RING, ring));
  return added.reduce(withinFrame, others);
}

/** Adds an extension where the frame stays short enough. */
function withinFrame(along: readonly Extension[], added: Extension): readonly Extension[] {
  const size = [...along, added].reduce((sum, { value }) => sum + 3 + value.length, BODY_BYTES);
  return size <= MAX_FRAME_BYTES ? [...along, added] : along;
}

function withSelf({ sent }: Census, { messages, seats }: Tally, self: Seat, term: number): Tally {
  const own = sent.term === term ? sent.messages : 0;
  return {
    messages: messages + own,
    seats: seats.length < MAX_SEATS ? [...seats, self] : seats,
  };
}

function count(census: Census, term: number): void {
  const before = census.sent.term === term ? census.sent.messages : 0;
  census.sent = { term, messages: before + 1 };
}

/** The leader's own lap tells of changes, and now and then of what has not changed. */
function ringToTell(census: Census, term: number, lap: number): Tally | null {
  if (census.ring?.term !== term) return null;
  if (census.toTell === 0 && lap % LAPS_UNCHANGED !== 0) return null;
  census.toTell = Math.max(0, census.toTell - 1);
  return census.ring;
}

function write(type: number, { messages, seats }: Tally): Extension {
  const writer = new ByteWriter().u32(Math.min(messages, 0xffff_ffff));
  for (const { id, link } of seats) writer.u8(LINKS.indexOf(link)).id(id);
  return { type, value: writer.finish() };
}

/** What an extension of this type says; null where there is none that makes sense. */
function read(extensions: readonly Extension[], type: number): Tally | null {
  const extension = extensions.find((each) => each.type === type);
  if (extension === undefined || (extension.value.length - 4) % SEAT_BYTES !== 0) return null;
  try {
    return readFrom(new ByteReader(extension.value));
  } catch (error) {
    if (error instanceof InvalidFrame) return null;
    throw error;
  }
}

function readFrom(reader: ByteReader): Tally | null {
  const messages = reader.u32();
  const seats: Seat[] = [];
  const ids = new Set<PeerId>();
  while (reader.remaining > 0) {
    const link = LINKS[reader.u8()];
    const id = reader.id();
    if (link === undefined || ids.has(id) || seats.length === MAX_SEATS) return null;
    ids.add(id);
    seats.push({ id, link });
  }
  return { messages, seats };
}
