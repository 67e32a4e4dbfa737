/**
 * Relayed links keep the contract. They live in the ring member, and their frames are signals: so each end
 * here is a member that may make no direct connection, and the signals that it sends are the end's.
 */
import { countedRandom } from '../../shared/driver/random.ts';
import type { Link, LinkHandlers, OpenLink } from '../../shared/driver/ports.ts';
import { findLink, isOpen } from '../../shared/member/queries.ts';
import { initialMember } from '../../shared/member/initial.ts';
import { close, sendFrame, signalOut } from '../../shared/member/link.ts';
import { handle } from '../../shared/member/member.ts';
import type { Link as MemberLink, Member } from '../../shared/member/state.ts';
import type { Input, Output, Turn } from '../../shared/member/turn.ts';
import { parseFrame } from '../../shared/protocol/frame.ts';
import type { LinkId, PeerId } from '../../shared/protocol/ids.ts';
import {
  parseSignalDelivery,
  parseRequest,
  type Edge,
  type Signal,
  type View,
} from '../../shared/protocol/signaling.ts';
import { requestOf } from '../broker/test-broker.ts';
import { peerId, roomName, valueOf } from '../support.ts';
import type { LinkGround } from './link-promises.ts';
import { linkContract } from './links.ts';
import { untilTrue } from './real-time.ts';

/** The two ends are neighbours; each has another neighbour that never says anything. */
const [FIRST, SECOND, OTHER] = [peerId(1), peerId(2), peerId(3)];
const EDGES: Readonly<Record<'first' | 'second', Edge>> = {
  first: 'successor',
  second: 'predecessor',
};
const MOMENT = { now: 0, date: 0 };

function viewOf(end: 'first' | 'second'): View {
  const [successor, predecessor] = end === 'first' ? [SECOND, OTHER] : [OTHER, FIRST];
  const neighbour = (id: PeerId) => ({ id, link: null });
  const places = { successor: neighbour(successor), predecessor: neighbour(predecessor) };
  return {
    incarnation: 'memory',
    era: null,
    version: 1,
    size: 3,
    removed: [],
    ticket: '',
    ...places,
  };
}

interface Sight {
  readonly isThere: boolean;
  readonly isOpen: boolean;
  /** Bytes of frames, and frames that were refused. */
  readonly taken: number;
}

/** A member that relays, as one end of a link. */
class RelayedEnd implements Link {
  readonly #handlers: LinkHandlers;
  readonly #end: 'first' | 'second';
  readonly #random: (n: number) => number;
  readonly #member: Member;
  #id: LinkId | null;
  #isClosed = false;
  /** What is still to be told, in order. */
  readonly #news: (() => void)[] = [];

  /** @param id of the link that the other end offers; null for the end that offers one */
  constructor(end: 'first' | 'second', id: LinkId | null, seed: number, handlers: LinkHandlers) {
    this.#end = end;
    this.#id = id;
    this.#handlers = handlers;
    this.#random = countedRandom(seed);
    const self = end === 'first' ? FIRST : SECOND;
    this.#member = initialMember(
      // Without connections every link is relayed.
      { room: roomName('lobby'), priority: 1, policy: 'highest', key: null, connections: 0 },
      { id: self, secret: 'a secret of this peer' },
      0,
    );
    this.#give({ type: 'join' });
    this.#give({ type: 'connected' });
    const reply = { ok: true, view: viewOf(end), policy: 'highest' } as const;
    const request = { type: 'join', body: requestOf(1) } as const;
    this.#give({ type: 'reply', to: { request, context: null }, reply });
    // The member offers a relayed link at once, but not before the turn is over.
    if (end === 'first') this.#give({ type: 'time' });
  }

  /** Of the link, once it is known. */
  get id(): LinkId | null {
    return this.#id;
  }

  get #link(): MemberLink | null {
    return this.#id === null ? null : (findLink(this.#member, this.#id) ?? null);
  }

  signal(signal: Signal): void {
    if (this.#isClosed || this.#id === null) return;
    const from = this.#end === 'first' ? SECOND : FIRST;
    const edge = EDGES[this.#end];
    const delivery = valueOf(
      parseSignalDelivery({ from, edge, link: this.#id, signals: [signal] }),
    );
    const before = this.#sight();
    this.#give({ type: 'signal', delivery });
    this.#tellNews(before, signal);
  }

  send(frame: Uint8Array): void {
    this.#turn((turn, link) => {
      const parsed = parseFrame(frame);
      if (parsed.ok) sendFrame(turn, link, parsed.value);
      // No member sends such a frame; a liar's would arrive like this.
      else if (isOpen(link)) signalOut(turn, link, [{ type: 'frame', frame }]);
    });
  }

  close(): void {
    this.#turn(close);
    // The other end is told by a signal, as a part of closing.
    this.#flush();
    this.#isClosed = true;
  }

  /** What is seen from outside: whether it is open or closed, and what the member took from it. */
  #sight(): Sight {
    const link = this.#link;
    return {
      isThere: link !== null,
      isOpen: link !== null && isOpen(link),
      taken: (link?.bytesReceived ?? 0) + this.#member.droppedFrames,
    };
  }

  #tellNews(before: Sight, signal: Signal): void {
    const after = this.#sight();
    if (after.isOpen && !before.isOpen)
      this.#tell(() => {
        this.#handlers.onOpen();
      });
    if (signal.type === 'frame' && after.taken > before.taken && !isOwn(signal.frame))
      this.#tell(() => {
        this.#handlers.onFrame(signal.frame);
      });
    // The member has let go of it.
    if (!before.isThere || after.isThere) return;
    this.#tell(() => {
      this.#isClosed = true;
      this.#handlers.onClose('closed by the other end');
    });
  }

  #give(input: Input): void {
    this.#perform(handle(this.#member, input, MOMENT, this.#random));
  }

  #turn(act: (turn: Turn, link: MemberLink) => void): void {
    if (this.#link === null || this.#isClosed) return;
    const outputs: Output[] = [];
    act({ member: this.#member, random: this.#random, outputs, ...MOMENT }, this.#link);
    this.#perform(outputs);
  }

  /** Of what the member wants done, only signals on the link between the two ends matter here. */
  #perform(outputs: readonly Output[]): void {
    for (const output of outputs) {
      if (output.do !== 'ask' || output.ask.request.type !== 'signal') continue;
      const { body } = valueOf(parseRequest('signal', output.ask.request.body));
      const { to, edge, link, signals } = body;
      if (to === OTHER || edge !== EDGES[this.#end]) continue;
      this.#id ??= link;
      for (const signal of signals)
        this.#tell(() => {
          this.#handlers.onSignal(signal);
        });
    }
  }

  /** Not while a method is still running. */
  #tell(call: () => void): void {
    this.#news.push(call);
    queueMicrotask(() => {
      this.#flush();
    });
  }

  #flush(): void {
    for (let call = this.#news.shift(); call !== undefined; call = this.#news.shift())
      if (!this.#isClosed) call();
  }
}

/** What the members themselves say, and no user of the link. */
function isOwn(frame: Uint8Array): boolean {
  const parsed = parseFrame(frame);
  return parsed.ok && parsed.value.message.type !== 'heartbeat';
}

function relayed(): LinkGround {
  let offered: LinkId | null = null;
  let made = 0;
  const openFirst: OpenLink = (_, handlers) => {
    made += 1;
    const end = new RelayedEnd('first', null, made, handlers);
    offered = end.id;
    return end;
  };
  const openSecond: OpenLink = (_, handlers) => new RelayedEnd('second', offered, made, handlers);
  return { openFirst, openSecond, until: untilTrue };
}

const DIRECT = 'a relayed link has no descriptions, and its member ignores those of direct ones';

linkContract('relayed by the server', relayed, {
  'text arrives as an empty frame': 'its frames are bytes and nothing else',
  'an offer that is none ends the link, and throws nothing': DIRECT,
  'an answer that is none ends the link, and throws nothing': DIRECT,
  'a signal of a relayed link ends a direct one, and throws nothing': 'it is no direct link',
});
