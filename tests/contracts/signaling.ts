/** What every way to the signaling server promises ({@link Signaling}), as tests of one implementation. */
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Signaling } from '../../shared/driver/ports.ts';
import type { ServerNews } from '../../shared/member/turn.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import {
  parseReplyTo,
  type JoinReply,
  type JoinRequest,
  type LeaveRequest,
  type MembershipReply,
  type Reply,
  type ReplyTo,
  type Request,
  type ResumeRequest,
  type SettleReply,
  type Signal,
  type SignalDelivery,
  type View,
} from '../../shared/protocol/signaling.ts';
import { answerTo } from '../broker/test-broker.ts';
import { joinRequest } from '../signaling-server/test-server.ts';
import { defined, linkId, peerId, valueOf } from '../support.ts';

/** A way to the server, and what may happen to it. */
interface Way {
  readonly signaling: Signaling;
  /** The network ends the connection; the server notices it soon. */
  lose(): void;
  /** Once it has left: the place that it gave up on the second way, which is not the connection. */
  goodbye(): LeaveRequest | null;
}

/** A server, and how time passes at it. */
export interface SignalingGround {
  newWay(): Way;
  /** Resolves once it is so; rejects where it takes too long. */
  until(isSo: () => boolean): Promise<void>;
}

/** The link whose signals are sent here; no newcomer offers it. */
const LINK = linkId(7);

/** A peer at the server, and what it was told. */
class Peer {
  readonly request: JoinRequest;
  readonly told: string[] = [];
  readonly views: View[] = [];
  readonly signals: SignalDelivery[] = [];
  readonly checks: PeerId[] = [];
  readonly #way: Way;
  readonly #until: SignalingGround['until'];

  /** @param number of its id */
  constructor(ground: SignalingGround, number: number, changes: Partial<JoinRequest> = {}) {
    this.request = joinRequest(number, changes);
    this.#way = ground.newWay();
    this.#until = (isSo) => ground.until(isSo);
    onTestFinished(() => {
      this.signaling.drop();
    });
    this.signaling.connect((news) => {
      this.#hear(news);
    });
  }

  get signaling(): Signaling {
    return this.#way.signaling;
  }

  get id(): PeerId {
    return this.request.id;
  }

  /** Signals of others than the offers of newcomers. */
  get heard(): readonly SignalDelivery[] {
    return this.signals.filter(({ link }) => link === LINK);
  }

  get view(): View {
    return defined(this.views.at(-1));
  }

  #hear(news: ServerNews): void {
    this.told.push(news.type === 'invalid' ? `invalid: ${news.error}` : news.type);
    if (news.type === 'view') this.views.push(news.view);
    if (news.type === 'signal') this.#hearSignal(news.delivery);
    if (news.type === 'check') this.checks.push(news.peer);
  }

  #hearSignal(delivery: SignalDelivery): void {
    this.signals.push(delivery);
    // An offer of a link through the server, which a member answers.
    if (delivery.signals[0]?.type !== 'relay') return;
    const body = answerTo(delivery, this.id);
    this.signaling.ask({ type: 'signal', body }, () => undefined);
  }

  async connected(): Promise<void> {
    await this.#until(() => this.told.at(-1) === 'connected');
  }

  async join(): Promise<JoinReply> {
    const reply = await this.#answer({ type: 'join', body: this.request });
    if (reply.ok) this.views.push(reply.view);
    return reply;
  }

  resume(changes: Partial<ResumeRequest> = {}): Promise<JoinReply> {
    return this.#answer(this.resumption(changes));
  }

  /** The request for the place of its last view. */
  resumption(changes: Partial<ResumeRequest> = {}): Request<'resume'> {
    const { version, room, id, secret } = this.request;
    const body = { version, room, id, secret, ticket: this.view.ticket, removed: [], ...changes };
    return { type: 'resume', body };
  }

  signal(to: PeerId, ...signals: Signal[]): Promise<Reply> {
    const body = { to, edge: 'successor', link: LINK, signals } as const;
    return this.#answer({ type: 'signal', body });
  }

  settle(): Promise<SettleReply> {
    return this.#answer({ type: 'settle', body: null });
  }

  lookup(peer: PeerId): Promise<MembershipReply> {
    return this.#answer({ type: 'lookup', body: peer });
  }

  complain(about: PeerId): Promise<MembershipReply> {
    return this.#answer({ type: 'complain', body: { about, fault: 'silent' } });
  }

  /** Leaves, and returns the place that it gave up on the second way. */
  leave(): LeaveRequest | null {
    this.signaling.leave();
    return this.#way.goodbye();
  }

  /** The network ends its connection. */
  async lose(): Promise<void> {
    this.#way.lose();
    await this.#until(() => this.told.at(-1) === 'disconnected');
  }

  /** The network ends its connection, and it comes back by itself. */
  async reconnect(): Promise<void> {
    const before = this.told.length;
    this.#way.lose();
    await this.#until(() => this.told.length > before && this.told.at(-1) === 'connected');
  }

  /** Asks again and again as long as there is no connection. Returns the replies as they come. */
  async askInVain(request: Request): Promise<readonly unknown[]> {
    const replies: unknown[] = [];
    let asked = 0;
    await this.#until(() => {
      if (this.told.at(-1) === 'connected') return true;
      this.signaling.ask(request, (reply) => replies.push(reply));
      asked += 1;
      return false;
    });
    expect(asked).toBeGreaterThan(0);
    return replies;
  }

  async #answer<Asked extends Request>(request: Asked): Promise<ReplyTo<Asked['type']>> {
    const replies: unknown[] = [];
    this.signaling.ask(request, (reply) => replies.push(reply));
    await this.#until(() => replies.length > 0);
    expect(replies).toHaveLength(1);
    return valueOf(parseReplyTo<Asked['type']>(request.type, replies[0]));
  }
}

const HELLO: Signal = { type: 'answer', sdp: 'hello' };

async function memberOf(ground: SignalingGround, number: number): Promise<Peer> {
  const peer = new Peer(ground, number);
  await peer.connected();
  expect(await peer.join()).toMatchObject({ ok: true });
  return peer;
}

/** In Node bytes come as a Buffer, which is a Uint8Array, too. */
function plain({ signals, ...rest }: SignalDelivery) {
  const bytes = signals.map((each) => (each.type === 'frame' ? [...each.frame] : each));
  return { ...rest, signals: bytes };
}

/** Two members that know of each other. */
async function pairOf(ground: SignalingGround): Promise<readonly [Peer, Peer]> {
  const [one, other] = [await memberOf(ground, 1), await memberOf(ground, 2)];
  await ground.until(() => one.view.size === 2);
  return [one, other];
}

/** Waits until all that was on its way to a member has arrived: replies come after it. */
async function caughtUp(peer: Peer): Promise<void> {
  await peer.lookup(peer.id);
}

/** What is refused, and with what code. */
const REFUSED: readonly [string, string, (ground: SignalingGround) => Promise<unknown>][] = [
  [
    'a signal before joining',
    'not-joined',
    async (g) => (await stranger(g)).signal(peerId(1), HELLO),
  ],
  ['to settle before joining', 'not-joined', async (g) => (await stranger(g)).settle()],
  ['a question before joining', 'not-joined', async (g) => (await stranger(g)).lookup(peerId(1))],
  [
    'a complaint before joining',
    'not-joined',
    async (g) => (await stranger(g)).complain(peerId(1)),
  ],
  ['a second place', 'already-joined', async (g) => (await memberOf(g, 3)).join()],
  [
    'a signal to itself',
    'not-a-neighbour',
    async (g) => (await memberOf(g, 3)).signal(peerId(3), HELLO),
  ],
  ['to resume a place that never was', 'place-lost', resumeOfNobody],
  ['to resume with another secret', 'place-lost', resumeOfAnother],
  ['an id that is taken', 'id-taken', joinAsAnother],
];

async function stranger(ground: SignalingGround): Promise<Peer> {
  const peer = new Peer(ground, 9);
  await peer.connected();
  return peer;
}

async function resumeOfNobody(ground: SignalingGround): Promise<JoinReply> {
  const one = await memberOf(ground, 1);
  const peer = await stranger(ground);
  peer.views.push(one.view);
  return peer.resume();
}

async function resumeOfAnother(ground: SignalingGround): Promise<JoinReply> {
  const one = await memberOf(ground, 1);
  const peer = await stranger(ground);
  peer.views.push(one.view);
  return peer.resume({ id: one.id });
}

async function joinAsAnother(ground: SignalingGround): Promise<JoinReply> {
  await memberOf(ground, 1);
  const peer = new Peer(ground, 1, { secret: 'the secret of another' });
  await peer.connected();
  return peer.join();
}

/** @param makeServer prepares a server without members, and ends it after the test */
export function signalingContract(
  name: string,
  makeServer: () => SignalingGround | Promise<SignalingGround>,
): void {
  const promise = (words: string, check: (ground: SignalingGround) => Promise<void>) => {
    test(words, async () => check(await makeServer()));
  };

  describe(`signaling: ${name}`, () => {
    promise('a connection says so once, and nothing else', async (ground) => {
      const peer = await stranger(ground);
      await memberOf(ground, 1);
      expect(peer.told).toEqual(['connected']);
    });

    promise('join is answered by a view, and every change tells the neighbours', async (ground) => {
      const one = await memberOf(ground, 1);
      expect(one.view).toMatchObject({ size: 1, successor: { id: one.id } });
      const other = await memberOf(ground, 2);
      expect(other.view).toMatchObject({ size: 2, successor: { id: one.id } });
      await ground.until(() => one.view.size === 2);
      expect(one.view).toMatchObject({
        successor: { id: other.id },
        incarnation: other.view.incarnation,
      });
      const third = await memberOf(ground, 3);
      await ground.until(() => one.view.size === 3 && other.view.size === 3);
      const versions = one.views.map(({ version }) => version);
      expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
      expect(
        [one, other].flatMap(({ view }) => [view.successor.id, view.predecessor.id]),
      ).toContain(third.id);
    });

    promise('signals arrive in order and whole, with `from` put in', async (ground) => {
      const [one, other] = await pairOf(ground);
      const frame = Uint8Array.from({ length: 100 }, (_, at) => at % 256);
      const sent: Signal[][] = Array.from({ length: 20 }, (_, at) => [
        { type: 'answer', sdp: `signal ${at}` },
        { type: 'frame', frame: frame.slice(at) },
      ]);
      const replies = await Promise.all(sent.map((signals) => one.signal(other.id, ...signals)));
      expect(replies).toEqual(sent.map(() => ({ ok: true })));
      await ground.until(() => other.heard.length === 20);
      const common = { from: one.id, edge: 'predecessor', link: LINK } as const;
      expect(other.heard.map(plain)).toEqual(sent.map((signals) => plain({ ...common, signals })));
      expect(one.heard).toEqual([]);
    });

    for (const [what, code, ask] of REFUSED)
      promise(`${what} is refused: ${code}`, async (ground) => {
        expect(await ask(ground)).toMatchObject({ ok: false, code });
      });

    promise('questions about membership and the era are answered', async (ground) => {
      const [one, other] = await pairOf(ground);
      expect(await one.lookup(other.id)).toEqual({ ok: true, isMember: true });
      expect(await one.lookup(peerId(9))).toEqual({ ok: true, isMember: false });
      const era = await one.settle();
      expect(era).toMatchObject({ ok: true });
      if (era.ok) expect(await other.settle()).toMatchObject({ ok: true, era: era.era });
    });

    promise('a lost connection comes back by itself, and resume gets the place', async (ground) => {
      const [one, other] = await pairOf(ground);
      const before = one.told.length;
      await one.reconnect();
      expect(one.told.slice(before)).toEqual(['disconnected', 'connected']);
      expect(await one.resume()).toMatchObject({
        ok: true,
        policy: 'highest',
        view: { size: 2, successor: { id: other.id }, incarnation: other.view.incarnation },
      });
      expect(await other.signal(one.id, HELLO)).toEqual({ ok: true });
      await ground.until(() => one.heard.length === 1);
    });

    promise(
      'a request made without a connection is dropped: never sent later, its reply never comes',
      async (ground) => {
        const newcomer = new Peer(ground, 9);
        const early = await newcomer.askInVain({ type: 'settle', body: null });
        const one = await memberOf(ground, 1);
        await one.lose();
        const late = await one.askInVain(one.resumption());
        // The replies to these would come after those.
        for (const peer of [newcomer, one])
          expect(await peer.settle()).toMatchObject({ ok: false, code: 'not-joined' });
        expect([early, late]).toEqual([[], []]);
        expect(await one.resume()).toMatchObject({ ok: true });
      },
    );

    promise('a place is kept for a while, until a neighbour complains', async (ground) => {
      const [one, other] = await pairOf(ground);
      other.signaling.drop();
      await ground.until(() => one.checks.length > 0);
      expect(one.checks).toEqual([other.id]);
      expect(await one.lookup(other.id)).toEqual({ ok: true, isMember: true });
      expect(await one.complain(other.id)).toEqual({ ok: true, isMember: false });
      await ground.until(() => one.view.removed.includes(other.id));
      expect(one.view).toMatchObject({ size: 1, successor: { id: one.id } });
    });

    promise('a complaint about a peer that is there changes nothing', async (ground) => {
      const [one, other] = await pairOf(ground);
      expect(await one.complain(other.id)).toEqual({ ok: true, isMember: true });
      expect(one.view.size).toBe(2);
    });

    promise('leave gives up the place, and nobody is asked about it', async (ground) => {
      const [one, other] = await pairOf(ground);
      other.signaling.leave();
      await ground.until(() => one.view.size === 1);
      expect(one.view).toMatchObject({ removed: [other.id], successor: { id: one.id } });
      expect(await one.lookup(other.id)).toEqual({ ok: true, isMember: false });
      expect(one.checks).toEqual([]);
    });

    promise('leave gives up the place last given, and none after a refusal', async (ground) => {
      const [one, other] = await pairOf(ground);
      const { room, id, secret } = one.request;
      await one.reconnect();
      expect(await one.resume()).toMatchObject({ ok: true });
      expect(one.leave()).toEqual({ room, id, secret });
      await other.reconnect();
      expect(await other.resume({ secret: 'the secret of another' })).toMatchObject({ ok: false });
      expect(other.leave()).toBeNull();
      expect(new Peer(ground, 3).leave()).toBeNull();
    });

    for (const how of ['leave', 'drop'] as const)
      promise(`nothing is told after ${how}`, async (ground) => {
        const [one, other] = await pairOf(ground);
        const told = other.told.length;
        const sent = one.signal(other.id, HELLO);
        other.signaling[how]();
        await sent;
        await memberOf(ground, 3);
        await caughtUp(one);
        expect(other.told).toHaveLength(told);
      });

    promise('no lost connection comes back after drop', async (ground) => {
      const one = await memberOf(ground, 1);
      const other = new Peer(ground, 2);
      other.signaling.drop();
      await one.reconnect();
      await one.resume();
      expect(other.told).toEqual([]);
      expect(await one.lookup(other.id)).toEqual({ ok: true, isMember: false });
    });
  });
}
