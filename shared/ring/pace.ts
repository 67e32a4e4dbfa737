/**
 * The hop delay of the room (SPEC.md, C4): a register that any peer may set and the ring carries. The
 * setting with the greater count holds, of two with the same count that of the greater uuid.
 */
import type { PeerId } from '../protocol/ids.ts';
import { MAX_PACE_COUNT, type PaceMessage } from '../protocol/messages.ts';
import { Allowance } from './allowance.ts';
import type { Clock } from './ports.ts';

/** Settings that a peer takes and passes on: so many at once, and so many a second. */
const SETTINGS_AT_ONCE = 40;
const SETTINGS_PER_SECOND = 10;

/**
 * How far a count may be above the known one, which is 0 for a newcomer: or one liar could make its
 * setting the last there is. It has to go on for hours now; and so does anyone else before newcomers
 * find the count of their room too high.
 */
const MAX_COUNT_LEAP = 16_384;

export class Pace {
  readonly #self: PeerId;
  readonly #allowance: Allowance;
  #setting: PaceMessage | null = null;
  #longest = 0;

  constructor(self: PeerId, clock: Clock) {
    this.#self = self;
    this.#allowance = new Allowance(clock, SETTINGS_AT_ONCE, SETTINGS_PER_SECOND);
  }

  /** In milliseconds. */
  get hopDelay(): number {
    return this.#setting?.hopDelay ?? 0;
  }

  /** The longest there has been: who waits by it may do so for a while after it is another. */
  get longest(): number {
    return this.#longest;
  }

  /** What a neighbour that may not know it is to be told; null where nobody has set any. */
  get setting(): PaceMessage | null {
    return this.#setting;
  }

  /** Sets it here. Returns what to tell the others. */
  set(hopDelay: number): PaceMessage {
    const count = Math.min((this.#setting?.count ?? 0) + 1, MAX_PACE_COUNT);
    return this.#hold({ type: 'pace', hopDelay, count, by: this.#self });
  }

  /** Takes in another peer's setting. Returns whether it holds from now on, and is to be passed on. */
  receive(setting: PaceMessage): boolean {
    const known = this.#setting;
    if (setting.count > (known?.count ?? 0) + MAX_COUNT_LEAP) return false;
    if (known !== null && !isNewer(setting, known)) return false;
    if (!this.#allowance.takeOne()) return false;
    this.#hold(setting);
    return true;
  }

  #hold(setting: PaceMessage): PaceMessage {
    this.#setting = setting;
    this.#longest = Math.max(this.#longest, setting.hopDelay);
    return setting;
  }
}

function isNewer(a: PaceMessage, b: PaceMessage): boolean {
  return a.count === b.count ? a.by > b.by : a.count > b.count;
}
