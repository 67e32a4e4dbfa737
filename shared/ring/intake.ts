/**
 * What a ring member takes in of its predecessors' messages of the election: nothing forged, no more
 * than its successor takes from it (SPEC.md, L16), and no term that is out of reach (L17).
 */
import type { Extension } from '../protocol/frame.ts';
import type { PeerId } from '../protocol/ids.ts';
import { originOf, type ElectionMessage } from '../protocol/messages.ts';
import type { Edge } from '../protocol/signaling.ts';
import { Allowance } from './allowance.ts';
import { termSaid, type Edges } from './edges.ts';
import type { ElectionRunner } from './election-runner.ts';
import type { NeighbourLink } from './neighbour-link.ts';
import type { Clock } from './ports.ts';
import {
  EARLIER_INTAKE_BURST,
  EARLIER_INTAKE_RATE,
  INTAKE_BURST,
  INTAKE_RATE,
  MAX_TERM_LEAP,
} from './timing.ts';

/** What it asks of the ring member it belongs to. */
export interface IntakeOwner {
  readonly clock: Clock;
  readonly edges: Edges;
  readonly election: ElectionRunner;
  /** A message is not taken in, through no fault of the neighbour's. */
  onDropped(link: NeighbourLink, reason: string): void;
  onFault(link: NeighbourLink, reason: string): void;
}

export class Intake {
  readonly #owner: IntakeOwner;
  /** Messages that may come from the predecessor, and from those of before. */
  readonly #present: Allowance;
  readonly #earlier: Allowance;
  /** Cancels the message that is to be let in later. */
  #cancelPutOff: (() => void) | null = null;

  constructor(owner: IntakeOwner) {
    this.#owner = owner;
    this.#present = new Allowance(owner.clock, INTAKE_BURST, INTAKE_RATE);
    this.#earlier = new Allowance(owner.clock, EARLIER_INTAKE_BURST, EARLIER_INTAKE_RATE);
  }

  stop(): void {
    this.#cancelPutOff?.();
    this.#cancelPutOff = null;
  }

  receive(
    link: NeighbourLink,
    from: PeerId,
    message: ElectionMessage,
    extensions: readonly Extension[],
  ): void {
    if (isForged(message, from))
      this.#owner.onFault(link, `${message.type} of ${originOf(message)} after 1 hop`);
    else if (this.#takesIn(link, message))
      this.#letIn(link, message, () => {
        this.#owner.election.receive(message, from, extensions);
      });
  }

  /**
   * Whether to act on a message of this term.
   * @param edge it came on; where the neighbour on the other one has said a term that leads as far,
   *   it is borne out
   */
  judge(edge: Edge, term: number): ReturnType<ElectionRunner['judgeTerm']> {
    const { edges, election } = this.#owner;
    const other = edge === 'successor' ? edges.predecessor : edges.successor;
    return election.judgeTerm(term, termSaid(other) >= term - MAX_TERM_LEAP);
  }

  /** Whether there is room for another message: who passes on a flood is taken for its source. */
  #takesIn(link: NeighbourLink, { type }: ElectionMessage): boolean {
    const isPresent = link.peer === this.#owner.edges.predecessor.target;
    if ((isPresent ? this.#present : this.#earlier).takeOne()) return true;
    this.#owner.onDropped(link, `${type}, of which there are too many to pass on`);
    return false;
  }

  /** Has a message acted on, if its term allows it. */
  #letIn(link: NeighbourLink, { term }: ElectionMessage, act: () => void): void {
    const { election } = this.#owner;
    const verdict = this.judge('predecessor', term);
    if (verdict === 'fine') act();
    else if (verdict === 'leap')
      this.#owner.onFault(link, `term ${term}, far above ${election.state.term}`);
    else {
      // No fault of a neighbour's that took it a moment before.
      this.#owner.onDropped(link, `term ${term} comes too soon`);
      if (!election.isNewcomer) this.#putOff(link, term, act);
    }
  }

  /** Each peer that had to hear it twice would cost the ring a time-out; the last one comes again. */
  #putOff(link: NeighbourLink, term: number, act: () => void): void {
    const { clock, election } = this.#owner;
    this.#cancelPutOff?.();
    this.#cancelPutOff = clock.after(election.hasteOf(term), () => {
      this.#cancelPutOff = null;
      if (link.isClosed) return;
      const verdict = this.judge('predecessor', term);
      if (verdict === 'fine') act();
      else if (verdict === 'haste') this.#putOff(link, term, act);
    });
  }
}

/** One hop is what a message has travelled that comes from its origin, and no other. */
function isForged(message: ElectionMessage, from: PeerId): boolean {
  const hops = message.type === 'claim' ? message.hops : message.decision.hops;
  return (hops === 1) !== (originOf(message) === from);
}
