/**
 * The lease by which an instance owns rooms. It serves them only while no other can have been given them: it
 * stops a while before its lease is over in the directory, counted from before it asked for it. Where it
 * cannot tell, it begins anew as another instance, and members bring their places by their tickets.
 */
import { newBroker } from '../broker/state.ts';
import { RECORD_LASTS, type Answer } from './directory.ts';
import { claimAgain, closeUp } from './edge.ts';
import { sendEnd } from './links.ts';
import { closeDown, feed, isIdle } from './owner.ts';
import { idOf, memoryOf, type Questioned, type Turn } from './state.ts';
import { cut, putOff, question } from './tell.ts';

/** How often a lease is renewed, and the other instances hear from this one, in milliseconds. */
const TICK = 1_000;

/** How long before the end of its lease an instance stops, in milliseconds. */
const MARGIN = 1_000;

/** How many records are kept by one question. */
const KEPT_AT_ONCE = 100;

/** There is a directory, or another one. */
export function begin(turn: Turn, uptime: number): void {
  const { state, moment } = turn;
  state.since = moment.now - uptime;
  beginAnew(turn);
  tick(turn);
}

/** Does what is due each second. */
export function tick(turn: Turn): void {
  const { state, moment } = turn;
  state.nextTick = moment.now + TICK;
  // Else its rooms would be nobody's for as long as its lease lasts.
  if (state.former !== null) question(turn, { type: 'drain', self: state.former });
  question(turn, {
    type: 'renew',
    self: idOf(state),
    isNew: state.lease.type === 'none',
    era: latestEra(turn),
    keep: recordsToKeep(turn),
  });
  claimAgain(turn);
  keepLinks(turn);
  releaseIdle(turn);
  forgetOwners(turn);
}

/** Takes the answer to `renew`. */
export function hearRenewal(turn: Turn, { at }: Questioned, answer: Answer | null): void {
  const { state } = turn;
  if (answer?.type === 'unknown') beginAnew(turn);
  if (answer?.type !== 'renewed') return;
  const lasts = answer.lasts - MARGIN;
  const until = { now: at.now + lasts, date: at.date + lasts };
  state.lease = { type: 'held', asked: at, until };
  const live = new Set(answer.live);
  const isGone = ({ other, openedAt }: { readonly other: string; readonly openedAt: number }) =>
    !live.has(other) && openedAt < at.now;
  for (const link of state.up.values()) if (isGone(link)) closeUp(turn, link);
  for (const link of state.down.values()) if (isGone(link)) closeDown(turn, link);
}

/** Before anything else: is the lease still held? The process may have been stopped for a while. */
export function checkLease(turn: Turn): void {
  const { state, moment } = turn;
  if (state.lease.type === 'none') return;
  const { now, date } = state.lease.until;
  // A computer that sleeps may stop the one clock, and people set the other.
  if (moment.now >= now || moment.date >= date) beginAnew(turn);
}

/** Gives up all rooms, as another instance from now on. The clients here connect again. */
export function beginAnew(turn: Turn): void {
  const { state, moment, outputs } = turn;
  if (state.lease.type === 'held') {
    outputs.push({ type: 'lease lost' });
    state.former = idOf(state);
  }
  endLinks(turn);
  for (const { asks } of state.waiting.values()) for (const asked of asks) putOff(turn, asked);
  for (const session of state.spectators.keys()) outputs.push({ type: 'host closed', session });
  const { waiting, owned, spectators, elsewhere, remote } = state;
  for (const collection of [waiting, owned, spectators, elsewhere, remote]) collection.clear();
  state.lease = { type: 'none' };
  state.generation += 1;
  state.broker = newBroker(memoryOf(state), state.limits, state.since ?? moment.now);
  for (const [session, client] of state.clients) {
    if (client.binding !== null) cut(turn, session, client);
    feed(turn, { type: 'opened', session, address: client.address });
  }
}

/** Others take over. */
export function stop(turn: Turn): void {
  const { state } = turn;
  endLinks(turn);
  question(turn, { type: 'drain', self: idOf(state) });
  state.isStopped = true;
}

function endLinks(turn: Turn): void {
  const { state } = turn;
  for (const link of [...state.up.values(), ...state.down.values()]) sendEnd(turn, link);
  for (const link of state.up.values()) closeUp(turn, link);
  state.down.clear();
}

function latestEra({ state: { broker } }: Turn): number {
  let latest = broker.latestEra;
  for (const { era } of broker.rooms.values()) latest = Math.max(latest, era);
  return latest;
}

function recordsToKeep({ state: { owned }, moment: { now } }: Turn) {
  const due = [...owned].filter(([, { keptAt }]) => keptAt <= now - RECORD_LASTS / 2);
  return due.slice(0, KEPT_AT_ONCE).map(([room, known]) => {
    known.keptAt = now;
    return room;
  });
}

/** Says something on each link, so that a gap is seen; ends those that are not used. */
function keepLinks(turn: Turn): void {
  const { state, moment, touched } = turn;
  for (const link of state.up.values()) {
    if (link.clients.size === 0) {
      closeUp(turn, link);
      sendEnd(turn, link);
    } else if (link.sentAt <= moment.now - TICK) touched.add(link);
  }
  for (const link of state.down.values()) if (link.sentAt <= moment.now - TICK) touched.add(link);
}

/** Rooms that this instance need not own any more are others' to take. */
function releaseIdle(turn: Turn): void {
  const { state } = turn;
  for (const [room, known] of state.owned) {
    if (!isIdle(turn, room, known)) continue;
    state.owned.delete(room);
    state.broker.lost.delete(room);
    question(turn, { type: 'release', self: idOf(state), room });
  }
}

/** Whose the rooms are that no client here has to do with is not known any more. */
function forgetOwners({ state }: Turn): void {
  if (state.elsewhere.size === 0) return;
  const used = new Set<string | null>();
  for (const { binding, asks } of state.clients.values()) {
    if (binding !== null) used.add(binding.room);
    for (const { room } of asks.values()) used.add(room);
  }
  for (const room of state.elsewhere.keys()) if (!used.has(room)) state.elsewhere.delete(room);
}
