/** Why the elected peer was elected. */
import type { Policy } from '../../shared/protocol/messages.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { TracedMessage } from '../../shared/protocol/watch.ts';
import { nameOf } from '../../shared/narration/names.ts';
import type { Election } from './election.ts';

/** The priority of peers that were given none. */
const ORDINARY = 1;

/** The least number of digits of a uuid that are shown. */
const DIGITS = 8;

/** The leader that an election announced; null where there is none. */
export function winnerOf({ arrows }: Election): PeerId | null {
  return announcementOf(arrows)?.origin ?? null;
}

/**
 * Why the winner won, in a sentence; empty where nobody has won.
 * @param policy of the room, where it is known
 */
export function whyOf({ arrows, peers }: Election, policy: Policy | null): string {
  const announced = announcementOf(arrows);
  if (announced === undefined) return '';
  const { origin: winner } = announced;
  const claims = arrows.flatMap(({ message }) => (message.type === 'claim' ? [message] : []));
  const own = claims.find(({ origin }) => origin === winner);
  const { priority } = own ?? announced;
  const others = peers.filter((id) => id !== winner);
  if (others.length === 0) return 'It is alone in its ring.';
  // The previous leader claims as it is announced then; a new one rises by it (shared/election/SPEC.md, Policies).
  if (policy === 'incumbent' && own?.priority === announced.priority)
    return `It led before, and this room keeps its leader (policy incumbent): priority ${priority} counts before the uuid.`;
  const rivals = claims.filter(({ origin }) => origin !== winner);
  if (priority > ORDINARY && rivals.every((claim) => claim.priority < priority))
    return `It has the highest priority, ${priority}, which counts before the uuid.`;
  return `${highest(winner, others)}${policy === 'incumbent' ? ' This room keeps it from now on (policy incumbent).' : ''}`;
}

/** Of a leader whose election was not watched, as far as it is known. */
export function standingOf(leader: PeerId, peers: readonly PeerId[]): string {
  const others = peers.filter((id) => id !== leader);
  if (others.length === 0) return 'It is alone in its ring.';
  return others.every((id) => id < leader) ? highest(leader, others) : '';
}

function announcementOf(arrows: Election['arrows']): TracedMessage | undefined {
  return arrows.find(({ message }) => message.type === 'elected')?.message;
}

function highest(winner: PeerId, others: readonly PeerId[]): string {
  const [next] = others
    .filter((id) => id < winner)
    .toSorted()
    .slice(-1);
  if (next === undefined || others.some((id) => id > winner))
    return 'It has the highest uuid of those that may lead.';
  const digits = Math.max(DIGITS, inCommon(winner, next) + 1);
  return `The highest uuid leads: ${winner.slice(0, digits)} > ${next.slice(0, digits)} (${nameOf(next)}).`;
}

/** How many digits two uuids have in common at their beginning. */
function inCommon(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}
