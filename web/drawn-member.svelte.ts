/** A membership as components read it: as of the last frame drawn. */
import type { RoomName } from '../shared/protocol/ids.ts';
import type { RingState } from '../shared/ring/events.ts';
import type { LogEntry, RingMember, Sight, Token, Trouble } from './ring-member.ts';

/**
 * How long the page waits for more to happen before it draws, and how long at most, in milliseconds.
 * An election is many events within a few moments, and who draws each of them elects more slowly:
 * so do all others on the same machine.
 */
const CALM = 100;
const LONGEST_WAIT = 300;

export class DrawnMember {
  readonly #member: RingMember;
  #drawn: Sight;
  /** Since when something waits to be drawn. */
  #changedAt: number | null = null;
  #isAsked = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(member: RingMember) {
    this.#member = member;
    this.#drawn = $state.raw(member.sight);
    member.onChange = () => {
      this.#changed();
    };
    // The frame that was asked for may not come while the page is hidden.
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#draw();
    });
  }

  get room(): RoomName {
    return this.#member.room;
  }

  get ring(): RingState {
    return this.#drawn.ring;
  }

  get facts(): Sight['facts'] {
    return this.#drawn.facts;
  }

  get headline(): string {
    return this.#drawn.headline;
  }

  /** Newest first. */
  get log(): readonly LogEntry[] {
    return this.#drawn.log;
  }

  get tokens(): readonly Token[] {
    return this.#drawn.tokens;
  }

  get trouble(): Trouble | null {
    return this.#drawn.trouble;
  }

  /** The log as text, oldest line first. */
  get logText(): string {
    return this.#member.logText;
  }

  campaign(): void {
    this.#member.campaign();
  }

  leave(): void {
    this.#member.leave();
  }

  rejoin(): void {
    this.#member.rejoin();
  }

  /** Sees to it that a change is drawn: the news that all wait for at once, the rest when calm. */
  #changed(): void {
    if (this.#isAsked) return;
    const { leader, role } = this.#member.sight.ring;
    const drawn = this.#drawn.ring;
    const isElected = leader !== null && leader !== drawn.leader;
    clearTimeout(this.#timer);
    if (isElected || (role === 'offline' && drawn.role !== role)) {
      this.#ask();
      return;
    }
    const now = performance.now();
    this.#changedAt ??= now;
    const wait = Math.min(CALM, this.#changedAt + LONGEST_WAIT - now);
    this.#timer = setTimeout(() => {
      this.#ask();
    }, wait);
  }

  #ask(): void {
    this.#isAsked = true;
    const draw = () => {
      this.#draw();
    };
    // A hidden page has no frames, but it has a title.
    if (document.hidden) setTimeout(draw);
    else requestAnimationFrame(draw);
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#isAsked = false;
    this.#changedAt = null;
    this.#drawn = this.#member.sight;
  }
}
