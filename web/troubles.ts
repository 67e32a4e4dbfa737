/** What is wrong with this tab's membership, or was a moment ago, and what helps, in words. */
import type { PeerId } from '../shared/protocol/ids.ts';
import type { Edge } from '../shared/protocol/signaling.ts';
import type { NeighbourLinkState, RingEvent, RingState } from '../shared/member/events.ts';
import { callOf } from './log.ts';
import { reachText, type Addresses, type Reach } from './reach.ts';
import type { Gap } from './sleep-watch.ts';
import { lasting, timeOfDay } from './time.ts';

type Kind =
  | 'no links'
  | 'no relay'
  | 'refused'
  | 'fault'
  | 'server'
  | 'relayed'
  | 'new peer'
  | 'asleep'
  | 'switched';

export interface Notice {
  readonly kind: Kind;
  /** `bad` keeps the ring from working here; `fine` is over and may be dismissed. */
  readonly tone: 'bad' | 'warn' | 'fine';
  readonly what: string;
  readonly advice: string;
  /** Whether reloading the page helps. */
  readonly isReloadOffered?: boolean;
}

type Refusal = Extract<RingEvent, { type: 'refused' }>;

/** How long a direct link may take to open before the page says that there is none, in milliseconds. */
export const DIRECT_LINK_PATIENCE = 6_000;

/** The browser has a permission for that, and it is denied. */
const KEPT_APART =
  'This browser does not let the page reach devices of the local network: allow “local network” for this site in the browser’s settings (the sign beside the address), and reload.';

export class Troubles {
  readonly #hasWebRtc: boolean;
  readonly #page: Addresses;
  /** In Unix milliseconds. */
  #serverLostAt: number | null = null;
  /** What is known of a server that is lost. */
  #reach: Reach | null = null;
  #refusal: Refusal | null = null;
  /** Why the server puts this peer off; it asks again. */
  #delay: string | null = null;
  #error: string | null = null;
  /** Why it had to come back as a new peer. */
  #newPeer: Refusal | null = null;
  #sleep: { readonly gap: Gap; readonly id: PeerId } | null = null;
  /** Whether anything was received since it woke up. */
  #isAwake = false;
  /** How neighbours are linked, and since when, in Unix milliseconds. */
  readonly #links = new Map<
    Edge,
    { readonly peer: PeerId | null; readonly link: NeighbourLinkState; readonly since: number }
  >();
  /** Whether the page has made as many direct links as it may. */
  #isSpent = false;
  /** Whether the server has refused to pass messages on. */
  #isUnrelayed = false;
  /** Whether the browser keeps this page from devices of the local network. */
  #isKeptApart = false;
  #switched: { readonly edge: Edge; readonly peer: PeerId } | null = null;

  /**
   * @param hasWebRtc whether the browser supports WebRTC
   * @param page its addresses
   */
  constructor(hasWebRtc: boolean, page: Addresses) {
    this.#hasWebRtc = hasWebRtc;
    this.#page = page;
  }

  /** Whether the connection to the server is lost; it is not where the server only puts this peer off. */
  get isServerLost(): boolean {
    return this.#serverLostAt !== null && this.#delay === null;
  }

  /** @param at when it happened, in Unix milliseconds */
  note(event: RingEvent, at: number): void {
    switch (event.type) {
      case 'server':
        this.#serverLostAt = event.state === 'reconnecting' ? (this.#serverLostAt ?? at) : null;
        this.#isUnrelayed = false;
        if (event.reason !== this.#delay) this.#delay = null;
        return;
      case 'left':
      case 'vanished':
        this.forget();
        return;
      case 'joined':
        this.#refusal = null;
        this.#error = null;
        return;
      case 'refused':
        if (event.code === 'place-lost' || event.code === 'id-taken') this.#newPeer = event;
        else if (event.code === 'try-again') this.#delay = event.message;
        else if (event.code === 'no-relay') this.#isUnrelayed = true;
        else this.#refusal = event;
        // It is not tried again.
        if (event.code === 'version') this.#serverLostAt = null;
        return;
      case 'error':
        this.#error = event.message;
        return;
      case 'received':
        this.#isAwake = true;
        return;
      case 'spent':
        this.#isSpent = true;
        return;
      case 'link':
        if (event.kind === 'direct' && event.state === 'connecting') this.#isSpent = false;
        return;
      default:
        return;
    }
  }

  /** Records how the neighbours are linked. */
  see(ring: RingState): void {
    for (const edge of ['successor', 'predecessor'] as const) {
      const [peer, link] = [ring[edge], ring[`${edge}Link`]];
      const before = this.#links.get(edge);
      const isSame = before?.peer === peer;
      if (isSame && peer !== null && this.#isRelayedForLong(edge) && link === 'direct')
        this.#switched = { edge, peer };
      // In between it may be neither.
      if (isSame && (link === 'connecting' || before.link === link)) continue;
      this.#links.set(edge, { peer, link, since: Date.now() });
    }
  }

  /** A link is also relayed for a moment where a direct one takes longer to open. */
  #isRelayedForLong(edge: Edge): boolean {
    const link = this.#links.get(edge);
    return link?.link === 'relayed' && Date.now() - link.since >= DIRECT_LINK_PATIENCE;
  }

  /** Whether the browser's permission for the local network is denied. */
  keptApart(isKeptApart: boolean): void {
    this.#isKeptApart = isKeptApart;
  }

  /** What was found out about a lost server; null where nothing is known that still holds. */
  reached(reach: Reach | null): void {
    this.#reach = reach;
  }

  /** The page has woken up. */
  slept(gap: Gap, { id }: RingState): void {
    this.#sleep = { gap, id };
    this.#isAwake = false;
  }

  dismiss({ kind }: Notice): void {
    if (kind === 'new peer') this.#newPeer = null;
    if (kind === 'asleep') this.#sleep = null;
    if (kind === 'switched') this.#switched = null;
  }

  /** A new membership begins, or one has ended on request. */
  forget(): void {
    this.#serverLostAt = null;
    this.#refusal = null;
    this.#delay = null;
    this.#error = null;
    this.#newPeer = null;
    this.#sleep = null;
    this.#switched = null;
  }

  /** All notices, the worst first. */
  of(ring: RingState): Notice[] {
    return [
      ...this.#ofError(),
      ...this.#ofRefusal(ring),
      ...this.#ofServer(ring),
      ...this.#ofRelays(ring),
      ...this.#ofNoRelay(ring),
      ...this.#ofSleep(ring),
      ...this.#ofNewPeer(ring),
      ...this.#ofSwitch(ring),
    ];
  }

  #ofError(): Notice[] {
    const error = this.#error;
    if (error === null) return [];
    const isOfLinks = error.includes('connection');
    if (isOfLinks && !this.#hasWebRtc)
      return [
        {
          kind: 'no links',
          tone: 'bad',
          what: 'This browser has no WebRTC.',
          advice:
            'Peers are linked by it, so this tab cannot take part. Open the page in a current Chrome, Edge, Firefox or Safari; browsers inside other apps, and some extensions and policies, take WebRTC away.',
        },
      ];
    if (isOfLinks)
      return [
        {
          kind: 'no links',
          tone: 'bad',
          what: 'This browser cannot make a WebRTC connection.',
          advice: `Close tabs that you do not need and reload this page. If that does not help, an extension or a policy may forbid it: try another browser. It says: ${error}.`,
        },
      ];
    return [
      {
        kind: 'fault',
        tone: 'bad',
        what: 'Something went wrong here.',
        advice: `Reload the page: it may be older than its server. It says: ${error}.`,
      },
    ];
  }

  #ofRefusal(ring: RingState): Notice[] {
    if (this.#refusal === null) return [];
    const { code, message } = this.#refusal;
    if (code === 'version' && ring.role !== 'offline')
      return [
        {
          kind: 'refused',
          tone: 'warn',
          what: 'The server and this page have different versions.',
          advice: `Asked for this peer’s place, it said: ${message}. The peer keeps its links without the server: nobody can join this ring any more, and the ring cannot close the gap when a peer goes. Reload the page for its current version, which joins the server’s ring.`,
          isReloadOffered: true,
        },
      ];
    return [
      {
        kind: 'refused',
        tone: 'bad',
        what: `The server refused: ${message}.`,
        advice: refusalAdvice(code),
        isReloadOffered: code === 'version' || code === 'malformed',
      },
    ];
  }

  #ofServer(ring: RingState): Notice[] {
    if (this.#serverLostAt === null || ring.role === 'offline') return [];
    const since = timeOfDay(this.#serverLostAt).slice(0, 8);
    const isMember = ring.successor !== null;
    if (this.#delay !== null)
      return [
        {
          kind: 'server',
          tone: isMember ? 'warn' : 'bad',
          what: `The server puts this tab off, since ${since}: ${this.#delay}.`,
          advice: `${isMember ? `${linksText(ring)} ` : ''}This page asks again by itself.`,
        },
      ];
    const advice = [
      isMember
        ? `${linksText(ring)} Until the server is back, nobody can join, and the ring cannot close the gap when a peer goes.`
        : '',
      reachText(this.#reach, this.#page),
      'This page keeps trying.',
    ];
    return [
      {
        kind: 'server',
        tone: isMember ? 'warn' : 'bad',
        what: `This page cannot reach its signaling server, since ${since}.`,
        advice: advice.filter((text) => text !== '').join(' '),
      },
    ];
  }

  #ofRelays(ring: RingState): Notice[] {
    const call = callOf(ring.id);
    const names = (['successor', 'predecessor'] as const).flatMap((edge) => {
      const peer = ring[edge];
      const isRelayed = ring[`${edge}Link`] === 'relayed' && this.#isRelayedForLong(edge);
      return isRelayed && peer !== null ? [`${edge} ${call(peer)}`] : [];
    });
    if (names.length === 0) return [];
    return [
      {
        kind: 'relayed',
        tone: 'warn',
        isReloadOffered: this.#isSpent,
        what: `No direct connection to the ${names.join(' and the ')}: relayed.`,
        advice: this.#relayAdvice(),
      },
    ];
  }

  #relayAdvice(): string {
    if (this.#isSpent)
      return 'This page has made as many direct connections as it may for now. Messages go through the server instead, more slowly; the election is the same. It makes another one as soon as it may; to have one at once, reload the page.';
    const meanwhile =
      'Messages go through the server instead, more slowly; the election is the same.';
    if (this.#isKeptApart) return `${meanwhile} ${KEPT_APART}`;
    return `${meanwhile} This tab goes on trying for a direct one. Within one Wi-Fi it may help to use another one, or the hotspot of a phone, and to turn a VPN off; between different networks the server can be set up to help.`;
  }

  #ofNoRelay(ring: RingState): Notice[] {
    const call = callOf(ring.id);
    const names = (['successor', 'predecessor'] as const).flatMap((edge) => {
      const peer = ring[edge];
      const since = this.#links.get(edge)?.since ?? Infinity;
      const isLong = Date.now() - since >= DIRECT_LINK_PATIENCE;
      return ring[`${edge}Link`] === 'connecting' && isLong && peer !== null
        ? [`${edge} ${call(peer)}`]
        : [];
    });
    if (!this.#isUnrelayed || names.length === 0) return [];
    return [
      {
        kind: 'no relay',
        tone: 'bad',
        what: `No connection to the ${names.join(' and the ')}.`,
        advice: this.#isKeptApart
          ? `No direct connection has come up, and this server passes on no messages between peers. ${KEPT_APART}`
          : 'No direct connection has come up, and this server passes on no messages between peers. Within one Wi-Fi it may help to use another one, or the hotspot of a phone, and to turn a VPN off. This tab goes on trying.',
      },
    ];
  }

  #ofSleep(ring: RingState): Notice[] {
    if (this.#sleep === null || ring.role === 'offline') return [];
    const { gap, id } = this.#sleep;
    const time = lasting(gap.milliseconds);
    const what =
      gap.by === 'page'
        ? `This page did not run for ${time}.`
        : `The clock of this device jumped ahead by ${time}: the device was asleep, or its clock was set.`;
    const advice = this.#fate(ring, id);
    return [{ kind: 'asleep', tone: 'fine', what, advice: `${advice} ${KEEP_AWAKE}` }];
  }

  #fate(ring: RingState, id: PeerId): string {
    if (ring.id !== id)
      return 'Its place was not kept, so it came back as a new peer with a new uuid.';
    const isKept = ring.server === 'connected' && (this.#isAwake || ring.successor === ring.id);
    return isKept
      ? 'It has kept its place in the ring.'
      : 'It is finding out whether it still has its place.';
  }

  #ofNewPeer(ring: RingState): Notice[] {
    // The notice about the sleep already says so.
    if (this.#newPeer === null || ring.role === 'offline') return [];
    if (this.#sleep !== null && this.#sleep.id !== ring.id) return [];
    const { code, message } = this.#newPeer;
    const isTaken = code === 'id-taken';
    return [
      {
        kind: 'new peer',
        tone: 'fine',
        what: isTaken
          ? 'The uuid of this tab was taken, so it joined with another.'
          : 'This tab lost its place in the ring and came back as a new peer.',
        advice: isTaken
          ? 'There is nothing to do.'
          : `It was told: ${message}. Its old uuid counts as gone, so it has a new one. There is nothing to do; if it happens often, the network here may be unsteady.`,
      },
    ];
  }

  #ofSwitch(ring: RingState): Notice[] {
    if (this.#switched === null) return [];
    const { edge, peer } = this.#switched;
    if (ring[edge] !== peer || ring[`${edge}Link`] !== 'direct') return [];
    return [
      {
        kind: 'switched',
        tone: 'fine',
        what: `The link to the ${edge} ${callOf(ring.id)(peer)} is direct now.`,
        advice: 'Its messages no longer go through the server.',
      },
    ];
  }
}

const KEEP_AWAKE = 'To stay in the ring keep the page in view and the screen on.';

/** What this peer's own links are like without the server: it cannot know about other links. */
function linksText(ring: RingState): string {
  if (ring.successor === ring.id) return 'This peer is alone in its ring.';
  const links = [ring.successorLink, ring.predecessorLink];
  const direct = links.filter((link) => link === 'direct').length;
  if (direct === links.length)
    return 'The links to both neighbours are direct and open: messages go on from peer to peer.';
  const relayed = links.includes('relayed') ? ' A relayed link waits for the server.' : '';
  if (direct === 0)
    return `No direct link to a neighbour is open, either: no message comes or goes.${relayed}`;
  return `Only the link to the ${ring.successorLink === 'direct' ? 'successor' : 'predecessor'} is direct and open: no message goes all round through this peer.${relayed}`;
}

function refusalAdvice(code: Refusal['code']): string {
  switch (code) {
    case 'version':
    case 'malformed':
      return 'Reload the page to get its current version.';
    case 'token':
    case 'room-secret':
      return 'Ask the person who gave you the link for another one.';
    case 'locked':
      return 'Wait until the host unlocks it, then press “Rejoin ring”.';
    case 'turned-out':
      return 'This tab does not join again by itself.';
    case 'room-full':
      return 'Wait until somebody leaves and press “Rejoin ring”, or use another room: add ?room=NAME to the address.';
    default:
      return 'Press “Rejoin ring”, or reload the page.';
  }
}
