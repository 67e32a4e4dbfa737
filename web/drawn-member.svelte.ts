/**
 * A membership as components read it: as of the last frame drawn. Who leads is drawn as soon as all can
 * know, the rest once the election is over.
 */
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import type { LinkSight, RingState } from '../shared/ring/events.ts';
import { announcedAt } from './announced.ts';
import { ReachWatch } from './reach.ts';
import type { LogRecord, RingMember, Sight } from './ring-member.ts';
import { watchSleep } from './sleep-watch.ts';
import { TokensHere, type TokenHere } from './token-here.ts';
import { Tokens, type Token } from './tokens.ts';
import { Troubles, type Notice } from './troubles.ts';

/**
 * How long the page waits for more to happen before it draws, and how long at most, as it does during
 * an election and when one is to come; in milliseconds. An election is many events within a few
 * moments, and who draws each of them elects more slowly: so do all others on the same machine.
 */
const CALM = 150;
const LONGEST_WAIT = 450;

/**
 * How long the news waits for each link that it has still to travel, as far as one can know here, and
 * how long at most, in milliseconds: on one machine those hops would wait for what is drawn here.
 */
const HEADSTART = { hop: 4, most: 100 };

/** A hop delay from which on there is time to draw each message, in milliseconds. */
const SLOW = 100;

export class DrawnMember {
  readonly #member: RingMember;
  #news: Sight;
  #drawn: Sight;
  #log: readonly LogRecord[] = $state.raw([]);
  #notices: readonly Notice[] = $state.raw([]);
  #tokens: readonly Token[] = $state.raw([]);
  readonly #troubles = new Troubles('RTCPeerConnection' in window, location);
  readonly #reach = new ReachWatch((reach) => {
    this.#troubles.reached(reach);
    this.#changed();
  });
  #here: TokenHere;
  #leaderSince: number | null;
  readonly #moving = new Tokens(() => {
    this.#changed();
  });
  readonly #held = new TokensHere(() => {
    // Never later: phones in a circle are to flash one after another.
    this.#here = this.#held.now;
  });
  /** A leader that has left; one is elected in a moment. */
  #lostLeader: PeerId | null = null;
  /** Since when something waits to be drawn. */
  #changedAt: number | null = null;
  #isAsked = false;
  /** When the news is to be drawn, and nothing before that may wait for it; null where there is none. */
  #tellsAt: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(member: RingMember) {
    this.#member = member;
    this.#news = $state.raw(member.sight);
    this.#drawn = $state.raw(member.sight);
    this.#here = $state.raw(this.#held.now);
    this.#leaderSince = $state.raw(announcedAt(member, null));
    for (const { event, at } of member.log) this.#troubles.note(event, at);
    this.#lookForServer();
    this.#troubles.see(member.ring);
    this.#draw();
    member.onChange = (event) => {
      if (event !== null) {
        const { leader } = member.ring;
        const isLost = event.type === 'neighbours' && event.removed.some((peer) => peer === leader);
        if (isLost) this.#lostLeader = leader;
        if (event.type === 'leader') this.#lostLeader = null;
        this.#moving.add(event, member.ring.id);
        this.#held.add(event, member.ring.role);
        this.#troubles.note(event, Date.now());
        this.#lookForServer();
        // Of a connection that was lost, too; but the server has not answered over HTTP since then yet.
        if (event.type === 'server' && event.state === 'reconnecting') this.#reach.failed();
      }
      this.#troubles.see(member.ring);
      this.#changed();
    };
    watchSleep((gap) => {
      this.#troubles.slept(gap, member.ring);
      this.#changed();
    });
    // The frame that was asked for may not come while the page is hidden; who closes it sees none.
    let isGone = false;
    addEventListener('pagehide', () => {
      isGone = true;
    });
    addEventListener('pageshow', () => {
      isGone = false;
    });
    document.addEventListener('visibilitychange', () => {
      if (document.hidden && !isGone) this.#draw();
    });
  }

  get room(): RoomName {
    return this.#member.room;
  }

  /** What all wait for: who leads, and the few facts. */
  get news(): Pick<Sight, 'ring' | 'facts'> {
    return this.#news;
  }

  get ring(): RingState {
    return this.#drawn.ring;
  }

  /** Newest first. */
  get log(): readonly LogRecord[] {
    return this.#log;
  }

  get tokens(): readonly Token[] {
    return this.#tokens;
  }

  /** What is wrong, or was, the worst first. */
  get notices(): readonly Notice[] {
    return this.#notices;
  }

  /** As they are at this moment. */
  get links(): readonly LinkSight[] {
    return this.#member.links;
  }

  /** What is over and was read needs not be said any more. */
  dismiss(notice: Notice): void {
    this.#troubles.dismiss(notice);
    this.#draw();
  }

  /** The token that this peer holds for the room's hop delay. */
  get here(): TokenHere {
    return this.#here;
  }

  /** When this tab heard of its leader, in Unix milliseconds. */
  get leaderSince(): number | null {
    return this.#leaderSince;
  }

  campaign(): void {
    this.#member.campaign();
  }

  leave(): void {
    this.#member.leave();
  }

  vanish(): void {
    this.#member.vanish();
  }

  rejoin(): void {
    this.#troubles.forget();
    this.#reach.found();
    this.#member.rejoin();
  }

  setHopDelay(milliseconds: number): void {
    this.#member.setHopDelay(milliseconds);
  }

  #lookForServer(): void {
    if (this.#troubles.isServerLost) this.#reach.lost();
    else this.#reach.found();
  }

  /** Sees to it that a change is drawn: the news soon, the rest when calm. */
  #changed(): void {
    if (this.#isNews) this.#tell();
    if (this.#isAsked) return;
    clearTimeout(this.#timer);
    const now = performance.now();
    this.#changedAt ??= now;
    const { leader, role } = this.#member.ring;
    const isLost = leader !== null && leader === this.#lostLeader;
    const calm = role === 'candidate' || isLost ? LONGEST_WAIT : CALM;
    const wait = Math.min(this.#isSlow ? 0 : calm, this.#changedAt + LONGEST_WAIT - now);
    this.#timer = setTimeout(
      () => {
        this.#ask();
      },
      Math.max(wait, (this.#tellsAt ?? now) - now),
    );
  }

  get #isSlow(): boolean {
    return this.#member.ring.hopDelay >= SLOW;
  }

  /** Whether there is a leader, or an end of the membership, that the page does not show yet. */
  get #isNews(): boolean {
    const { leader, role } = this.#member.ring;
    const shown = this.#news.ring;
    if (leader !== null && leader !== shown.leader) return true;
    return role === 'offline' && shown.role !== role;
  }

  /** Once the others should have the news, too. */
  #tell(): void {
    if (this.#tellsAt !== null) return;
    const { size, hopsFromLeader } = this.#member.ring;
    const rest = HEADSTART.hop * ((size ?? 0) - (hopsFromLeader ?? 0));
    // All there is of a hidden page is its title, which is drawn with the rest; and only timers that wait
    // for nothing run in time there.
    const { hidden } = document;
    const wait = hidden || this.#isSlow ? 0 : Math.min(rest, HEADSTART.most);
    this.#tellsAt = performance.now() + wait;
    setTimeout(() => {
      this.#tellsAt = null;
      if (hidden) this.#draw();
      else this.#show(this.#member.sight);
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
    this.#show(this.#member.sight);
    this.#drawn = this.#news;
    this.#log = this.#member.log.toReversed();
    this.#tokens = this.#moving.shown;
  }

  #show(news: Sight): void {
    this.#leaderSince = announcedAt(
      { ring: news.ring, log: this.#member.log },
      { ring: this.#news.ring, at: this.#leaderSince },
    );
    this.#news = news;
    this.#notices = this.#troubles.of(news.ring);
  }
}
