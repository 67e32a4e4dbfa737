/**
 * No era and term has two leaders whose rings share a peer. The ring of a leader is the peers that have
 * sent its claim in that term: those that the claim passed on the circuit that made it the leader.
 */
import type { Mandate } from '../../election/fence.ts';
import type { PeerId } from '../../protocol/ids.ts';
import { originOf } from '../../protocol/messages.ts';
import { Mandates, type Judge, type Sight } from './judge.ts';

export class Offices implements Judge {
  readonly problems: string[] = [];
  readonly #mandates = new Mandates();
  /** The peers that have sent a claim, by the claim's origin and term. */
  readonly #senders = new Map<string, Set<PeerId>>();
  /** The leaders of each era and term. */
  readonly #leaders = new Map<string, PeerId[]>();

  see(sight: Sight): void {
    const { event, state } = sight;
    if (event.type === 'sent' && event.message.type === 'claim')
      this.#ringOf(originOf(event.message), event.message.term).add(state.id);
    const mandate = this.#mandates.newOf(sight);
    if (mandate !== null) this.#take(sight.at, mandate);
  }

  #take(at: number, { leader, era, term }: Mandate): void {
    const key = `${era}/${term}`;
    const others = this.#leaders.get(key) ?? [];
    for (const other of others) {
      const ring = this.#ringOf(other, term);
      const shared = [...this.#ringOf(leader, term)].filter((id) => ring.has(id));
      if (other !== leader && shared.length > 0)
        this.problems.push(
          `at ${at.toFixed(0)} ms ${leader} leads term ${term} of era ${era} as ${other} did; ` +
            `${shared.join(', ')} passed both claims on`,
        );
    }
    this.#leaders.set(key, [...others, leader]);
  }

  #ringOf(origin: PeerId, term: number): Set<PeerId> {
    const key = `${origin}/${term}`;
    const ring = this.#senders.get(key) ?? new Set();
    this.#senders.set(key, ring);
    return ring;
  }
}
