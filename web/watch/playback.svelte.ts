/**
 * The moment of an election that the page shows. It follows the events, in slow motion where they were too
 * quick for the eye, until the user takes over.
 */
import type { Election } from './election.ts';

/** How long a hop, and an election, is shown at least, in milliseconds. */
const HOP_SEEN = 250;
const LONGEST = 12_000;

/** How far a page that shows events as they happen may lag behind, in milliseconds. */
const MAX_LAG = 300;

export class Playback {
  readonly #still: () => boolean;
  #election: Election | null = null;
  #time = $state(0);
  #isPlaying = $state(true);
  #isFollowing = $state(true);
  #speed = $state(1);

  /** @param still whether nothing may move without the user's action */
  constructor(still: () => boolean) {
    this.#still = still;
  }

  get time(): number {
    return this.#time;
  }

  get isPlaying(): boolean {
    return this.#isPlaying;
  }

  /** Whether a new election is shown as soon as there is one. */
  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** The speed relative to the original; below 1 it is slow motion. */
  get speed(): number {
    return this.#speed;
  }

  /** Takes the present election; `isNew` where it is another one. */
  show(election: Election | null, isNew: boolean): void {
    this.#election = election;
    const duration = election?.duration ?? 0;
    if (isNew) {
      this.#time = this.#still() || !this.#isFollowing ? duration : 0;
      this.#isPlaying = this.#isFollowing;
    } else if (this.#still() && this.#isFollowing) this.#time = duration;
    this.#speed = election === null ? 1 : speedOf(election);
  }

  /** Advances by the time that has passed, in milliseconds. */
  pass(milliseconds: number): void {
    const duration = this.#election?.duration ?? 0;
    if (!this.#isPlaying || this.#time >= duration) return;
    const behind = (this.#election?.last ?? 0) - this.#time;
    const isLate = this.#speed === 1 && this.#isFollowing && behind > MAX_LAG;
    this.#time = Math.min(duration, this.#time + milliseconds * this.#speed * (isLate ? 2 : 1));
  }

  /** Goes to a moment and stays there. */
  seek(time: number): void {
    this.#isFollowing = false;
    this.#isPlaying = false;
    this.#time = Math.min(Math.max(time, 0), this.#election?.duration ?? 0);
  }

  /** Goes forward by so many events, or back. */
  stepBy(count: number): void {
    const moments = this.#election?.moments ?? [];
    // The page may round the last digits of a time.
    const at = moments.findLastIndex((moment) => moment <= this.#time + 1e-6);
    this.seek(moments[Math.min(Math.max(at + count, 0), moments.length - 1)] ?? 0);
  }

  /** Plays from here, or from the beginning where this is the end. */
  play(): void {
    if (this.#time >= (this.#election?.duration ?? 0)) this.#time = 0;
    this.#isPlaying = true;
  }

  /** Stops following the events. */
  pause(): void {
    this.#isPlaying = false;
    this.#isFollowing = false;
  }

  /** Follows the events again. */
  follow(): void {
    this.#isFollowing = true;
    this.#isPlaying = true;
    this.#time = this.#election?.duration ?? 0;
  }
}

/** At the original speed, where that was slow enough to be seen. */
function speedOf({ arrows, duration }: Election): number {
  const farthest = { claim: 0, elected: 0 };
  for (const { message } of arrows)
    farthest[message.type] = Math.max(farthest[message.type], message.hops);
  const perHop = duration / Math.max(1, farthest.claim + farthest.elected);
  return Math.min(1, Math.max(perHop / HOP_SEEN, duration / LONGEST));
}
