/** What a ring member asks the server about others: whether they are members at all (SPEC.md, L18). */
import { decisionOf, type ElectionState } from '../election/state.ts';
import type { PeerId } from '../protocol/ids.ts';
import type { Decision } from '../protocol/messages.ts';
import type { MembershipReply } from '../protocol/signaling.ts';
import type { Clock, Random } from './ports.ts';
import { RecentPeers } from './recent-peers.ts';
import { DOUBT_INTERVAL, LOOKUP_DELAY, MAX_DOUBTS } from './timing.ts';

/** What it asks of the ring member it belongs to. */
export interface LookupOwner {
  readonly clock: Clock;
  readonly random: Random;
  /** Whether a question asked now could reach the server. */
  canAsk(): boolean;
  election(): ElectionState;
  isNeighbour(peer: PeerId): boolean;
  lookup(peer: PeerId, onReply: (reply: MembershipReply) => void): void;
  /** The leader that is followed is no member. */
  onNoLeader(leader: PeerId): void;
  /** One that was presumed departed is a member after all. */
  onReturned(peer: PeerId): void;
}

/** How many peers of a ring ask the server about a leader: at first, and in each of its laps. */
const LOOKUPS_PER_DECISION = 3;
const LOOKUPS_PER_LAP = 0.1;

/** The largest ring for which they ask less often: a liar may announce any size. */
const SIZE_BELIEVED = 8;

export class Lookups {
  readonly #owner: LookupOwner;
  /** Peers presumed departed that the server was asked about. */
  readonly #doubts: RecentPeers;
  /** Cancels the question about the leader that is to be asked. */
  #cancel: (() => void) | null = null;
  /** The leader that the server knew last. */
  #confirmed: PeerId | null = null;

  constructor(owner: LookupOwner) {
    this.#owner = owner;
    this.#doubts = new RecentPeers(owner.clock, DOUBT_INTERVAL);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  /**
   * Asks the server now and then whether the leader is a member at all: a peer that lies could have
   * had one elected that never was, or is gone. All peers together ask so many times, or more often
   * in a large ring: how large it is, only the announcement says. They ask when the announcement has
   * long gone round, so as not to hold it up.
   */
  heard({ leader: { id: leader }, size }: Decision, isNew: boolean): void {
    if (this.#cancel !== null || !this.#isInQuestion(leader)) return;
    const times = isNew ? LOOKUPS_PER_DECISION : LOOKUPS_PER_LAP;
    // One that the server has never confirmed is asked about by everyone.
    const isKnown = leader === this.#confirmed;
    if (isKnown && this.#owner.random() * Math.min(size, SIZE_BELIEVED) >= times) return;
    this.#cancel = this.#owner.clock.after(LOOKUP_DELAY, () => {
      this.#cancel = null;
      // Whoever is followed by then: one that was invented after it must not go unasked, either.
      const followed = this.#leader;
      if (followed !== null && this.#isInQuestion(followed)) this.#ask(followed);
    });
  }

  /**
   * A peer that is presumed departed and speaks may be there again: somebody else may have used its id, or
   * left under it. An id that is never believed would keep the ring without a leader for ever.
   */
  doubt(peer: PeerId): void {
    const isAsked = this.#doubts.has(peer) || this.#doubts.size >= MAX_DOUBTS;
    if (!this.#owner.canAsk() || isAsked) return;
    this.#doubts.add(peer);
    this.#owner.lookup(peer, (reply) => {
      if (!reply.ok || !reply.isMember) return;
      this.#doubts.delete(peer);
      this.#owner.onReturned(peer);
    });
  }

  get #leader(): PeerId | null {
    return decisionOf(this.#owner.election())?.leader.id ?? null;
  }

  /** Whether the server can be asked about a leader, and nothing has told yet what it would say. */
  #isInQuestion(leader: PeerId): boolean {
    const { self, removed } = this.#owner.election();
    if (!this.#owner.canAsk() || leader === self.id) return false;
    // A view names none but members; and one that is gone is being replaced.
    return !this.#owner.isNeighbour(leader) && !removed.includes(leader);
  }

  #ask(leader: PeerId): void {
    this.#owner.lookup(leader, (reply) => {
      if (!reply.ok) return;
      if (reply.isMember) this.#confirmed = leader;
      else if (this.#leader === leader) this.#owner.onNoLeader(leader);
    });
  }
}
