/**
 * A newcomer that has learned the ring's term settles: it tells the server so, and is told the era in
 * which it acts when it leads (election/SPEC.md, R9b).
 */
import { REPLY_PATIENCE } from '../protocol/timeouts.ts';
import { hasPlace } from './queries.ts';
import type { SettleReply } from '../protocol/signaling.ts';
import { ask, tell, type Turn } from './turn.ts';

/**
 * Tells the server that this member knows the ring's term. Where no other member does, the server begins
 * an era. Called with each lap until there is an answer.
 */
export function settle(turn: Turn): void {
  const { member, now } = turn;
  const { place } = member;
  const isAsked = place.settlingUntil !== null && now < place.settlingUntil;
  if (place.era !== null || isAsked || !hasPlace(member)) return;
  place.settlingUntil = now + REPLY_PATIENCE;
  const context = place.view?.incarnation ?? null;
  ask(turn, { request: { type: 'settle', body: null }, context });
}

/** The server has answered the question that was asked in a memory of its own. */
export function onSettleReply(turn: Turn, incarnation: string | null, reply: SettleReply): void {
  const { place } = turn.member;
  const { view } = place;
  if (!reply.ok || view?.incarnation !== incarnation) return;
  place.view = { ...view, ticket: reply.ticket };
  learnEra(turn, reply.era);
}

export function learnEra(turn: Turn, era: number | null): void {
  const { place } = turn.member;
  if (era === null || era <= (place.era ?? -1)) return;
  place.era = era;
  tell(turn, { type: 'era', era });
}

/** In another memory of the server it is a newcomer again: the ring may know later terms by now. */
export function unsettle({ member: { place, election } }: Turn): void {
  place.era = null;
  place.settlingUntil = null;
  election.isTold = false;
}
