/** Links with other instances, as far as envelopes and their numbers go. */
import type { SessionId } from '../broker/state.ts';
import type { InstanceId } from './directory.ts';
import { envelope, type Envelope, type Item } from './envelope.ts';
import { idOf, type DownLink, type Instance, type UpLink, type Turn } from './state.ts';

/** Has something sent on a link, at the end of this turn. */
export function post(turn: Turn, link: UpLink | DownLink, item: Item): void {
  link.batch.push(item);
  turn.touched.add(link);
}

/** Sends what was posted in this turn: on each link one envelope. */
export function sendAll(turn: Turn): void {
  const { outputs, touched, state, moment } = turn;
  for (const link of touched) {
    const items = link.batch;
    link.batch = [];
    // It has ended meanwhile.
    if (state[link.way].get(link.other) !== link) continue;
    outputs.push({ type: 'publish', envelope: envelopeOn(state, link, items, false) });
    link.nextSent += 1;
    link.sentAt = moment.now;
  }
}

/** The link as an edge to the owner of a room; a new one where there is none. */
export function linkTo(turn: Turn, other: InstanceId): UpLink {
  const { state, moment } = turn;
  const known = state.up.get(other);
  if (known !== undefined) return known;
  state.links += 1;
  const fresh = { other, number: state.links, ...freshLink(moment.now) };
  const link: UpLink = { way: 'up', ...fresh, clients: new Set() };
  state.up.set(other, link);
  return link;
}

/** A link that an edge has opened. */
export function acceptLink(turn: Turn, { from, link: number }: Envelope): DownLink {
  const fresh = { other: from, number, ...freshLink(turn.moment.now) };
  const link: DownLink = { way: 'down', ...fresh, sessions: new Map() };
  turn.state.down.set(from, link);
  return link;
}

function freshLink(now: number) {
  return { openedAt: now, batch: [], nextSent: 0, nextHeard: 0, sentAt: now };
}

/**
 * Counts an envelope.
 * @returns whether it is the next one; a gap where others before it are missing
 */
export function count(link: UpLink | DownLink, { number }: Envelope) {
  if (number < link.nextHeard) return 'seen';
  if (number > link.nextHeard) return 'gap';
  link.nextHeard += 1;
  return 'next';
}

/** Tells the other end that a link has ended. */
export function sendEnd(
  turn: Turn,
  link: Pick<UpLink | DownLink, 'way' | 'other' | 'number'>,
): void {
  const parts = { ...link, nextSent: 0 };
  turn.outputs.push({ type: 'publish', envelope: envelopeOn(turn.state, parts, [], true) });
}

/** An envelope has come to one that this instance was before. */
export function refuseEnvelope({ outputs }: Turn, { from, to, way, link, isEnd }: Envelope): void {
  if (isEnd) return;
  const back = way === 'up' ? 'down' : 'up';
  const end = envelope({ from: to, to: from, way: back, link, number: 0, items: [], isEnd: true });
  outputs.push({ type: 'publish', envelope: end });
}

/** The owner has not to know of a client any more. */
export function closeClient(turn: Turn, link: UpLink, session: SessionId): void {
  if (link.clients.delete(session)) post(turn, link, { type: 'closed', session });
}

function envelopeOn(
  state: Instance,
  {
    way,
    other,
    number,
    nextSent,
  }: Pick<UpLink | DownLink, 'way' | 'other' | 'number' | 'nextSent'>,
  items: Item[],
  isEnd: boolean,
): Envelope {
  const from = idOf(state);
  return envelope({ from, to: other, way, link: number, number: nextSent, items, isEnd });
}
