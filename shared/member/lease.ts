/**
 * Until when a peer may count on the leader that it names (election/SPEC.md, R10), by two of its own
 * clocks: one that never falls may stand still while the device sleeps.
 */
import type { Election } from './state.ts';
import type { Moment } from '../machine/moment.ts';

/** @param milliseconds from now on */
export function renewLease(election: Election, milliseconds: number, { now, date }: Moment): void {
  election.lease = { at: now + milliseconds, date: date + milliseconds };
}

/** Whether there is a leader, and neither clock is past the end. */
export function isConfirmed(lease: Election['lease'], { now, date }: Moment): boolean {
  return lease !== null && now < lease.at && date < lease.date;
}
