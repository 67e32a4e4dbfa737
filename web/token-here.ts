/** The tokens that this peer holds for the room's hop delay, and what the screen shows of them. */
import { isLap, originOf, type ElectionMessage } from '../shared/protocol/messages.ts';
import type { RingEvent, RingState } from '../shared/member/events.ts';
import type { PeerId } from '../shared/protocol/ids.ts';

/** A token that is here, as the whole screen shows it. */
export interface Pulse {
  readonly key: number;
  readonly kind: ElectionMessage['type'];
  readonly origin: PeerId;
}

export interface TokenHere {
  /** The token that is here; null while none is. */
  readonly origin: PeerId | null;
  /** How many tokens have been here. */
  readonly count: number;
  readonly pulse: Pulse | null;
}

interface Held {
  readonly message: ElectionMessage;
  readonly pulse: Pulse;
}

/**
 * The least milliseconds between two changes of the whole screen: at most 2.5 changes a second, as more
 * than three flashes a second can cause seizures (WCAG 2.3.1).
 */
export const LEAST_BETWEEN_CHANGES = 400;

/** How long a token may stay beyond its time before it counts as lost, in milliseconds. */
const OVERDUE = 1_000;

export class TokensHere {
  readonly #onChange: () => void;
  #held: readonly Held[] = [];
  #count = 0;
  #pulse: Pulse | null = null;
  #pulseChangedAt = -LEAST_BETWEEN_CHANGES;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onChange called when another token is here, or none */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get now(): TokenHere {
    return {
      origin: this.#held[0]?.pulse.origin ?? null,
      count: this.#count,
      pulse: this.#pulse,
    };
  }

  /** @param role the peer's, as of the event */
  add(event: RingEvent, role: RingState['role']): void {
    if (event.type === 'holding') this.#hold(event.message, event.milliseconds);
    if (event.type === 'sent' || event.type === 'unsent') this.#release(event.message);
    // Its membership is over; it sends nothing of what it held.
    if (role === 'offline') this.#keep([]);
  }

  /** Laps only repeat who leads; nobody follows them by eye. */
  #hold(message: ElectionMessage, milliseconds: number): void {
    if (isLap(message)) return;
    this.#count += 1;
    const pulse = { key: this.#count, kind: message.type, origin: originOf(message) };
    const held = { message, pulse };
    this.#keep([...this.#held, held]);
    // In case no further event tells of it.
    setTimeout(() => {
      this.#keep(this.#held.filter((each) => each !== held));
    }, milliseconds + OVERDUE);
  }

  #release(sent: ElectionMessage): void {
    const at = this.#held.findIndex(
      ({ message }) =>
        message.type === sent.type &&
        message.term === sent.term &&
        originOf(message) === originOf(sent),
    );
    if (at !== -1) this.#keep(this.#held.toSpliced(at, 1));
  }

  #keep(held: readonly Held[]): void {
    if (held.length === this.#held.length) return;
    this.#held = held;
    this.#changePulse();
    this.#onChange();
  }

  /** Shows the token that is here, or that none is, but not before the interval allows it. */
  #changePulse(): void {
    clearTimeout(this.#timer);
    const wanted = this.#held[0]?.pulse ?? null;
    if (wanted === this.#pulse) return;
    const wait = this.#pulseChangedAt + LEAST_BETWEEN_CHANGES - performance.now();
    if (wait > 0) {
      this.#timer = setTimeout(() => {
        this.#changePulse();
        this.#onChange();
      }, wait);
      return;
    }
    this.#pulseChangedAt = performance.now();
    this.#pulse = wanted;
  }
}
