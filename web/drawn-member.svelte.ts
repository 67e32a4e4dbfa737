/**
 * A membership as components read it: the state at the last frame drawn. The page shows a new leader as
 * soon as it is known, everything else a little later.
 */
import type { RoomName } from '../shared/protocol/ids.ts';
import { UNANSWERED } from '../peer/slow-attempts.ts';
import type { LinkSnapshot, RingEvent, RingState } from '../shared/member/events.ts';
import { announcedAt } from './announced.ts';
import { watchLocalNetwork } from './local-network.ts';
import { ReachWatch } from './reach.ts';
import type { LogRecord, RingMember, Sight } from './ring-member.ts';
import { watchSleep } from './sleep-watch.ts';
import { TokensHere, type TokenHere } from './token-here.ts';
import { Tokens, type Token } from './tokens.ts';
import { Troubles, type Notice } from './troubles.ts';

/**
 * How long other changes wait to be drawn together, in milliseconds: an election is many events within a
 * few moments, and drawing the log and the picture takes longer than each of them.
 */
const CALM = 150;

/** The hop delay from which there is time to draw each message, in milliseconds. */
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
    // Never later: phones in a circle must flash one after another.
    this.#here = this.#held.now;
  });
  #isAsked = false;

  constructor(member: RingMember) {
    this.#member = member;
    this.#news = $state.raw(member.sight);
    this.#drawn = $state.raw(member.sight);
    this.#here = $state.raw(this.#held.now);
    this.#leaderSince = $state.raw(announcedAt(member, null));
    for (const { event, at } of member.log) {
      this.#troubles.note(event, at);
      this.#lookForServer(event);
    }
    this.#troubles.see(member.ring);
    this.#draw();
    member.onChange = (event) => {
      if (event !== null) {
        this.#moving.add(event, member.ring.id);
        this.#held.add(event, member.ring.role);
        this.#troubles.note(event, Date.now());
        this.#lookForServer(event);
      }
      this.#troubles.see(member.ring);
      this.#changed();
    };
    // Where there is no secure context, there are no permissions either.
    void watchLocalNetwork(navigator.permissions, (isDenied) => {
      this.#troubles.keptApart(isDenied);
      this.#changed();
    });
    watchSleep((gap) => {
      this.#troubles.slept(gap, member.ring);
      this.#changed();
    });
    // The requested frame may never come while the page is hidden; a page that is being closed draws none.
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

  /** The leader and a few facts, which all readers wait for. */
  get news(): Sight {
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

  /** The links at this moment, drawn or not. */
  get links(): readonly LinkSnapshot[] {
    return this.#member.links;
  }

  /** A notice that is over and was read need not be shown any more. */
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

  #lookForServer(event: RingEvent): void {
    if (this.#troubles.isServerLost) this.#reach.lost();
    else this.#reach.found();
    if (event.type !== 'server' || event.state !== 'reconnecting') return;
    if (event.reason === UNANSWERED) this.#reach.unanswered();
    // Also of a connection that was lost; but then the server has not answered over HTTP yet.
    else this.#reach.failed();
  }

  /** Schedules the drawing of a change: the news at once, the rest a little later. */
  #changed(): void {
    if (this.#isNews) this.#tell();
    if (this.#isAsked) return;
    this.#isAsked = true;
    setTimeout(
      () => {
        // A hidden page has no frames.
        if (document.hidden) this.#draw();
        else
          requestAnimationFrame(() => {
            this.#draw();
          });
      },
      this.#isSlow ? 0 : CALM,
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

  /** In the same task, after everything else that happens in it. */
  #tell(): void {
    queueMicrotask(() => {
      // A hidden page has only its title, which is drawn with the rest.
      if (document.hidden) this.#draw();
      else this.#show(this.#member.sight);
    });
  }

  #draw(): void {
    this.#isAsked = false;
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
