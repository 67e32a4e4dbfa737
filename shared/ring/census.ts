/**
 * The whole ring as the leader's laps find it (SPEC.md, C1 to C3). Each peer writes itself into the
 * lap that passes through it; the leader gets the list back and sends it along with its next laps. For the eye only: no decision of the election rests on it.
 */
import { ByteReader, ByteWriter, Truncated } from '../protocol/bytes.ts';
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

/** A ring that has not changed is told again after so many laps: a peer may have missed it. */
const LAPS_UNCHANGED = 4;

/** How often a change is told: one of the laps may be lost. */
const TIMES_TOLD = 2;

/** What a lap has gathered on its way. */
interface Census {
  readonly messages: number;
  readonly seats: readonly Seat[];
}

export interface CensusOwner {
  readonly self: PeerId;
  /** By what a message sent now is passed on. */
  link(): Seat['link'];
  /** There is news of the ring. */
  onRing(): void;
}

export class CensusTaker {
  readonly #owner: CensusOwner;
  #ring: WholeRing | null = null;
  /** The election messages that this peer has sent in a term. */
  #sent = { term: 0, messages: 0 };
  /** What the leader still owes the others of the ring that it knows of. */
  #toTell = 0;

  constructor(owner: CensusOwner) {
    this.#owner = owner;
  }

  get ring(): WholeRing | null {
    return this.#ring;
  }

  /**
   * Takes in what came with an announcement that was adopted or came home.
   * @param isHome whether this peer leads and the announcement has been round
   */
  take(message: ElectedMessage, extensions: readonly Extension[], isHome: boolean): void {
    const { term, decision } = message;
    const told = read(extensions, isHome ? EXTENSION_CENSUS : EXTENSION_RING);
    if (told === null) return;
    // Whoever cannot be written in goes uncounted: a list with gaps is no ring.
    const isWhole = told.seats.length === decision.hops || !isHome;
    // Who has left took its part of the sum along: it was sent all the same.
    const before = this.#ring?.term === term ? this.#ring.messages : 0;
    const messages = Math.max(before, told.messages);
    const ring = { term, messages, seats: isWhole ? told.seats : [] };
    if (isSame(this.#ring, ring)) return;
    this.#ring = ring;
    this.#toTell = TIMES_TOLD;
    this.#owner.onRing();
  }

  /**
   * What goes along with a message that is sent now.
   * @param received what came with it, where it is passed on
   */
  dress(message: ElectionMessage, received: readonly Extension[]): readonly Extension[] {
    if (message.type === 'claim' || message.decision.lap === 0) {
      this.#count(message.term);
      return received;
    }
    const { term, decision } = message;
    const isOwn = decision.leader.id === this.#owner.self;
    const others = received.filter(
      ({ type }) => type !== EXTENSION_CENSUS && type !== EXTENSION_RING,
    );
    const before = isOwn ? { messages: 0, seats: [] } : read(received, EXTENSION_CENSUS);
    const ring = isOwn ? this.#ringToTell(term, decision.lap) : read(received, EXTENSION_RING);
    let size = BODY_BYTES + sizeOf(others);
    const along: Extension[] = [...others];
    const add = (extension: Extension) => {
      size += sizeOf([extension]);
      if (size <= MAX_FRAME_BYTES) along.push(extension);
    };
    if (before !== null) add(write(EXTENSION_CENSUS, this.#with(before, term)));
    if (ring !== null) add(write(EXTENSION_RING, ring));
    return along;
  }

  #with({ messages, seats }: Census, term: number): Census {
    const own = this.#sent.term === term ? this.#sent.messages : 0;
    const seat = { id: this.#owner.self, link: this.#owner.link() };
    return {
      messages: messages + own,
      seats: seats.length < MAX_SEATS ? [...seats, seat] : seats,
    };
  }

  #count(term: number): void {
    const before = this.#sent.term === term ? this.#sent.messages : 0;
    this.#sent = { term, messages: before + 1 };
  }

  /** The leader's own lap tells of changes, and now and then of what has not changed. */
  #ringToTell(term: number, lap: number): Census | null {
    if (this.#ring?.term !== term) return null;
    if (this.#toTell === 0 && lap % LAPS_UNCHANGED !== 0) return null;
    this.#toTell = Math.max(0, this.#toTell - 1);
    return this.#ring;
  }
}

/** What an announcement takes without extensions. */
const BODY_BYTES = 31;

function sizeOf(extensions: readonly Extension[]): number {
  return extensions.reduce((sum, { value }) => sum + 3 + value.length, 0);
}

function write(type: number, { messages, seats }: Census): Extension {
  const writer = new ByteWriter().u32(Math.min(messages, 0xffff_ffff));
  for (const { id, link } of seats) writer.u8(LINKS.indexOf(link)).id(id);
  return { type, value: writer.finish() };
}

/** What was read: who passes a lap on asks again when it takes it in. */
const readings = new WeakMap<Extension, Census | null>();

/** What an extension of this type says; null where there is none that makes sense. */
function read(extensions: readonly Extension[], type: number): Census | null {
  const extension = extensions.find((each) => each.type === type);
  if (extension === undefined) return null;
  const known = readings.get(extension);
  if (known !== undefined) return known;
  const census = readingOf(extension);
  readings.set(extension, census);
  return census;
}

function readingOf({ value }: Extension): Census | null {
  if ((value.length - 4) % SEAT_BYTES !== 0) return null;
  try {
    return readFrom(new ByteReader(value));
  } catch (error) {
    if (error instanceof Truncated) return null;
    throw error;
  }
}

function readFrom(reader: ByteReader): Census | null {
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

function isSame(a: WholeRing | null, b: WholeRing): boolean {
  return (
    a?.term === b.term &&
    a.messages === b.messages &&
    a.seats.length === b.seats.length &&
    a.seats.every(({ id, link }, at) => id === b.seats[at]?.id && link === b.seats[at].link)
  );
}
