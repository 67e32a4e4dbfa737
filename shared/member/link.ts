/**
 * One end of a link with a neighbour: from open to closed, and messages instead of bytes. The frames of a
 * relayed link are signals that the server carries.
 */
import { encodeFrame, type Frame } from '../protocol/frame.ts';
import type { LinkId } from '../protocol/ids.ts';
import { isLap, type ElectionMessage, type PeerMessage } from '../protocol/messages.ts';
import { MAX_SIGNALS_PER_MESSAGE, type Signal } from '../protocol/signaling.ts';
import { aliveOf, greetedOf, isGone } from './queries.ts';
import type { RingEvent } from './events.ts';
import { silenceOf } from './neighbour-patience.ts';
import type { Link, Member } from './state.ts';
import { fullBucket } from '../machine/token-bucket.ts';
import { arm, disarm } from '../machine/due-times.ts';
import { ask, tell, type Turn } from './turn.ts';

/** After so many milliseconds without a frame a link is asked for a sign of life. */
export const HEARTBEAT_INTERVAL = 1_000;

/** So is one that carries frames all the time, after so long: its round trip may be another by now. */
const MEASURE_INTERVAL = 2 * HEARTBEAT_INTERVAL;

/** How long the other end may take to close a link after BYE, in milliseconds. */
export const FAREWELL = 2_000;

/** How long a peer that vanishes keeps its ends of links, which would be heard to close. */
export const LINGER = 15_000;

/** Frames that one link may carry. */
export const FRAMES = { burst: 4_000, perSecond: 1_000 };

/** Heartbeats that are answered on one link. */
export const ANSWERS = { burst: 20, perSecond: 5 };

type Unsent = Extract<RingEvent, { type: 'unsent' }>;

/** Frames can be sent from now on. */
export function markOpen(link: Link, now: number): void {
  link.stage = {
    name: 'open',
    heardAt: now,
    roundTrips: [],
    measuredAt: link.madeAt,
    beat: null,
    beats: 0,
    frames: fullBucket(FRAMES, now),
    answers: fullBucket(ANSWERS, now),
  };
}

/** Sends a message at once. Does nothing on a link that is not open. */
export function send(turn: Turn, link: Link, message: PeerMessage): void {
  sendFrame(turn, link, { message, extensions: [] });
}

/** The same with what goes along. */
export function sendFrame(turn: Turn, link: Link, { message, extensions }: Frame): void {
  if (aliveOf(link) === null) return;
  const frame = encodeFrame(message, extensions);
  if (link.kind === 'direct') {
    turn.outputs.push({ do: 'send', link: link.id, frame });
    return;
  }
  link.bytesSent += frame.length;
  signalOut(turn, link, [{ type: 'frame', frame }]);
}

/** Sends signals to the other end, by way of the server. Without a connection they are lost. */
export function signalOut(turn: Turn, link: Link, signals: readonly Signal[]): void {
  const { member } = turn;
  if (member.server !== 'connected') return;
  // On a relayed link of an earlier connection, frames before this one may be lost.
  if (isStale(member, link) && signals.some(({ type }) => type === 'frame')) return;
  for (let at = 0; at < signals.length; at += MAX_SIGNALS_PER_MESSAGE) {
    const some = signals.slice(at, at + MAX_SIGNALS_PER_MESSAGE);
    const { id, edge, peer } = link;
    const body = { to: peer, edge, link: id, signals: some };
    ask(turn, { request: { type: 'signal', body }, context: id });
  }
}

/** Whether frames on a link may have been lost with the connection to the server. */
export function isStale({ membership }: Member, { id }: Link): boolean {
  return membership.name === 'resuming' && membership.relayed.includes(id);
}

/** Asks for a sign of life. */
export function beat(turn: Turn, link: Link): void {
  const alive = aliveOf(link);
  if (alive === null) return;
  alive.beats = (alive.beats + 1) % 0x1_0000;
  alive.beat = { count: alive.beats, at: turn.now };
  send(turn, link, { type: 'heartbeat', isReply: false, count: alive.beats });
}

/** Whether a link is to be asked for a sign of life, or for its round trip. */
export function isBeatDue(link: Link, now: number): boolean {
  const alive = aliveOf(link);
  if (alive === null) return false;
  const isMeasureOld = alive.beat === null && now - alive.measuredAt >= MEASURE_INTERVAL;
  return isMeasureOld || silenceOf(link, now) >= HEARTBEAT_INTERVAL;
}

/** Lets the silence so far count for nothing. */
export function forgive(link: Link, now: number): void {
  const alive = aliveOf(link);
  if (alive !== null) alive.heardAt = now;
}

// --- what is held (C5) --------------------------------------------------------------------------

/**
 * Sends a message of the election once the hop delay is over, after all that is held already.
 * @param milliseconds of the hop delay
 */
export function sendAfter(
  turn: Turn,
  link: Link,
  frame: Frame<ElectionMessage>,
  milliseconds: number,
): void {
  const greeted = greetedOf(link);
  if (greeted === null) return;
  const { message } = frame;
  const due = Math.max(turn.now + milliseconds, greeted.held.at(-1)?.due ?? 0);
  if (greeted.held.length === 0 && due <= turn.now) {
    sendNow(turn, link, frame);
    return;
  }
  greeted.held = [...greeted.held, { ...frame, due }];
  awaitFirstHeld(turn, link);
  if (due > turn.now && !isLap(message))
    tell(turn, { type: 'holding', message, milliseconds: due - turn.now });
}

/** The time of the first held message has come. */
export function sendFirstHeld(turn: Turn, link: Link | undefined): void {
  const greeted = link && greetedOf(link);
  const [first, ...rest] = greeted?.held ?? [];
  if (!link || !greeted || !first) return;
  greeted.held = rest;
  sendNow(turn, link, first);
  awaitFirstHeld(turn, link);
}

/** Takes back the held messages that match. Returns them. */
export function takeBack(
  turn: Turn,
  link: Link,
  matches: (message: ElectionMessage) => boolean,
): readonly ElectionMessage[] {
  const greeted = greetedOf(link);
  if (greeted === null || greeted.held.length === 0) return [];
  const { held } = greeted;
  greeted.held = held.filter(({ message }) => !matches(message));
  disarmHeld(turn, link);
  awaitFirstHeld(turn, link);
  return held.map(({ message }) => message).filter(matches);
}

/** Messages of the election that are not sent. Laps are many, and worth no word. */
export function tellUnsent(
  turn: Turn,
  messages: readonly ElectionMessage[],
  reason: Unsent['reason'],
): void {
  for (const message of messages)
    if (!isLap(message)) tell(turn, { type: 'unsent', message, reason });
}

function sendNow(turn: Turn, link: Link, frame: Frame<ElectionMessage>): void {
  sendFrame(turn, link, frame);
  tell(turn, { type: 'sent', message: frame.message, to: link.peer });
}

function awaitFirstHeld(turn: Turn, link: Link): void {
  const [first] = greetedOf(link)?.held ?? [];
  const isAwaited = turn.member.dues.some(
    (due) => due.name === 'send held' && due.link === link.id,
  );
  if (first !== undefined && !isAwaited)
    arm(turn.member, { name: 'send held', link: link.id, at: first.due });
}

function disarmHeld(turn: Turn, link: Link): void {
  disarm(turn.member, (due) => due.name === 'send held' && due.link === link.id);
}

function flush(turn: Turn, link: Link): void {
  const held = greetedOf(link)?.held ?? [];
  disarmHeld(turn, link);
  for (const each of held) sendNow(turn, link, each);
}

// --- its end ------------------------------------------------------------------------------------

/** Closes this end at once. What it holds is lost. */
export function close(turn: Turn, link: Link): void {
  if (link.stage.name === 'closed') return;
  loseHeld(turn, link);
  link.stage = { name: 'closed' };
  closePlatformLink(turn, link);
}

/** The platform has closed it, or the other end has. What it holds is lost. */
export function markClosed(turn: Turn, link: Link): void {
  loseHeld(turn, link);
  link.stage = { name: 'closed' };
}

/**
 * Says goodbye and lets the neighbour close, so that nothing on its way is lost. What is held is on its
 * way, too; only a peer that leaves the ring takes it along.
 */
export function retire(turn: Turn, link: Link, reason: 'leaving' | 'relinked'): void {
  if (aliveOf(link) === null) {
    close(turn, link);
    return;
  }
  if (reason === 'relinked') flush(turn, link);
  else disarmHeld(turn, link);
  send(turn, link, { type: 'bye', reason });
  link.stage = { name: 'leaving' };
  closeLater(turn, link, FAREWELL);
}

/** Neither says nor hears anything any more. Closing it is a word, too: that comes much later. */
export function fallSilent(turn: Turn, link: Link): void {
  disarmHeld(turn, link);
  link.stage = { name: 'silent' };
  closeLater(turn, link, LINGER);
}

function closeLater(turn: Turn, link: Link, milliseconds: number): void {
  // Without the server nothing can be said on a relayed link any more.
  if (link.kind === 'relayed' && isGone(turn.member)) return;
  arm(turn.member, { name: 'close', link, at: turn.now + milliseconds });
}

/** A link that this end has said goodbye on was closed meanwhile. */
export function closedMeanwhile(turn: Turn, id: LinkId): void {
  disarm(turn.member, (due) => due.name === 'close' && due.link.id === id);
}

function loseHeld(turn: Turn, link: Link): void {
  const held = greetedOf(link)?.held ?? [];
  disarmHeld(turn, link);
  if (isGone(turn.member)) return;
  const messages = held.map(({ message }) => message);
  tellUnsent(turn, messages, 'the link is lost');
}

/** That a relayed link is closed is said by a signal. */
function closePlatformLink(turn: Turn, link: Link): void {
  if (link.kind === 'relayed') signalOut(turn, link, [{ type: 'closed' }]);
  else turn.outputs.push({ do: 'close', link: link.id });
}
