/** Places over real connections: lost, checked, complained about, and restored after a restart. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { socketSignaling } from '../../peer/socket-signaling.ts';
import type { PeerId } from '../../shared/protocol/ids.ts';
import {
  parseReplyTo,
  type JoinReply,
  type MembershipReply,
  type ReplyTo,
  type Request,
  type ResumeRequest,
  type SignalDelivery,
  type View,
} from '../../shared/protocol/signaling.ts';
import { defined, linkId, peerId, valueOf } from '../support.ts';
import {
  ask,
  connect,
  expectRing,
  find,
  joinRequest,
  member,
  ringOf,
  ROOM,
  startTestServer,
  type TestPeer,
  type TestServer,
} from './test-server.ts';

const WAIT = { timeout: 8_000, interval: 5 };

/** The shipped connection to the server, and what it received. */
class Shipped {
  readonly id: PeerId;
  readonly views: View[] = [];
  readonly signals: SignalDelivery[] = [];
  readonly checks: PeerId[] = [];
  readonly invalid: string[] = [];
  readonly lost: string[] = [];
  connects = 0;
  readonly signaling;

  constructor(server: TestServer, number: number) {
    this.id = peerId(number);
    this.signaling = socketSignaling(server.url);
    onTestFinished(() => {
      this.signaling.leave();
    });
    this.signaling.connect((news) => {
      if (news.type === 'connected') this.connects += 1;
      if (news.type === 'disconnected') this.lost.push(news.reason);
      if (news.type === 'view') this.views.push(news.view);
      if (news.type === 'signal') this.signals.push(news.delivery);
      if (news.type === 'check') this.checks.push(news.peer);
      if (news.type === 'invalid') this.invalid.push(news.error);
    });
  }

  async join(number: number): Promise<JoinReply> {
    await vi.waitFor(() => {
      expect(this.connects).toBe(1);
    }, WAIT);
    const reply = await this.ask({ type: 'join', body: joinRequest(number) });
    if (reply.ok) this.views.push(reply.view);
    return reply;
  }

  lookup(peer: PeerId): Promise<MembershipReply> {
    return this.ask({ type: 'lookup', body: peer });
  }

  async ask<Asked extends Request>(request: Asked): Promise<ReplyTo<Asked['type']>> {
    const reply = await new Promise((resolve) => {
      this.signaling.ask(request, resolve);
    });
    return valueOf(parseReplyTo<Asked['type']>(request.type, reply));
  }
}

describe('the shipped client', () => {
  test('passes relayed frames as the bytes they are, both ways', async () => {
    const server = await startTestServer();
    const [one, other] = [new Shipped(server, 1), new Shipped(server, 2)];
    expect(await one.join(1)).toMatchObject({ ok: true });
    expect(await other.join(2)).toMatchObject({ ok: true });
    const frame = Uint8Array.from({ length: 4_096 }, (_, at) => at % 256);
    const ways = [
      [one, other],
      [other, one],
    ] as const;
    for (const [from, to] of ways) {
      const body = {
        to: to.id,
        edge: 'successor' as const,
        link: linkId(77),
        signals: [{ type: 'relay' as const }, { type: 'frame' as const, frame }],
      };
      expect(await from.ask({ type: 'signal', body })).toEqual({ ok: true });
      await vi.waitFor(() => {
        const delivery = defined(to.signals.find(({ link }) => link === 77));
        expect(delivery).toMatchObject({ from: from.id, edge: 'predecessor' });
        const [, relayed] = delivery.signals;
        if (relayed?.type !== 'frame') throw new Error('no frame');
        expect(relayed.frame).toBeInstanceOf(Uint8Array);
        expect([...relayed.frame]).toEqual([...frame]);
      }, WAIT);
    }
    expect([...one.invalid, ...other.invalid]).toEqual([]);
    expect(server.warnings()).toEqual([]);
  });

  test('leaves in so many words: nobody is asked whether it is gone', async () => {
    const server = await startTestServer();
    const shipped = new Shipped(server, 1);
    await shipped.join(1);
    const other = await member(server, 2);
    shipped.signaling.leave();
    await vi.waitFor(() => {
      expect(other.view.removed).toEqual([shipped.id]);
    }, WAIT);
    expect(other.checks).toEqual([]);
  });

  test('asks who is a member, and is asked about a neighbour that is lost', async () => {
    const server = await startTestServer();
    const shipped = new Shipped(server, 1);
    await shipped.join(1);
    const other = await member(server, 2);
    expect(await shipped.lookup(other.id)).toEqual({ ok: true, isMember: true });
    expect(await shipped.lookup(peerId(9))).toEqual({ ok: true, isMember: false });
    other.drop();
    await vi.waitFor(() => {
      expect(shipped.checks).toEqual([other.id]);
    }, WAIT);
    expect(await shipped.lookup(other.id)).toEqual({ ok: true, isMember: true });
    const body = { about: other.id, fault: 'silent' } as const;
    expect(await shipped.ask({ type: 'complain', body })).toEqual({ ok: true, isMember: false });
    await vi.waitFor(() => {
      expect(shipped.views.at(-1)?.removed).toEqual([other.id]);
    }, WAIT);
  });
});

describe('a connection that is lost', () => {
  test('is asked about at once, the place is kept, and nobody is told anything else', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 4);
    for (const each of ring) each.hasLinks = true;
    const order = server.signaling.peers(ROOM);
    const lost = find(ring, joinRequest(3).id);
    const neighbours = [lost.view.successor.id, lost.view.predecessor.id].map((id) =>
      find(ring, id),
    );
    const views = ring.map((each) => each.views.length);
    lost.drop();
    await vi.waitFor(() => {
      for (const each of neighbours) expect(each.checks).toEqual([lost.id]);
    }, WAIT);
    const others = ring.filter((each) => each !== lost);
    await Promise.all(others.map((each) => each.settle()));
    expect(server.signaling.peers(ROOM)).toEqual(order);
    expect(ring.map((each) => each.views.length)).toEqual(views);
    expect(
      others.filter((each) => !neighbours.includes(each)).flatMap(({ checks }) => checks),
    ).toEqual([]);
  });
});

describe('a complaint', () => {
  test('of silence about a page that does not answer has it turned out', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 3);
    const [asleep] = ring;
    const sleeper = defined(asleep);
    sleeper.isAwake = false;
    const neighbour = find(ring, sleeper.view.successor.id);
    // What a page sends whose links with the sleeping page are silent.
    await neighbour.complain(sleeper.id, 'silent');
    expect(await sleeper.disconnected).toBe('io server disconnect');
    const rest = ring.filter((each) => each !== sleeper);
    await Promise.all(rest.map((each) => each.settle()));
    expectRing(server, rest);
  }, 15_000);

  test('of misbehaviour has its subject turned out, twice from one address', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 5);
    const accuser = defined(ring[0]);
    for (let accusation = 0; accusation < 2; accusation += 1) {
      const about = find(ring, accuser.view.successor.id);
      // Not believed before it has been a member for a while.
      await vi.waitFor(
        async () => {
          const reply = await accuser.complain(about.id, 'misbehaves');
          expect(reply).toEqual({ ok: true, isMember: false });
        },
        { timeout: 20_000, interval: 500 },
      );
      expect(await about.disconnected).toBe('io server disconnect');
      await accuser.settle();
    }
    const third = find(ring, accuser.view.successor.id);
    for (const [from, about] of [
      [accuser, third],
      [third, accuser],
    ] as const)
      expect(await from.complain(about.id, 'misbehaves')).toEqual({ ok: true, isMember: true });
    expect([accuser.connected, third.connected]).toEqual([true, true]);
    expect(server.signaling.size.peers).toBe(3);
  }, 30_000);

  test.each([
    ['complain', { about: peerId(1), fault: 'rude' }],
    ['complain', { about: 'nobody', fault: 'silent' }],
    ['complain', null],
    ['lookup', 'nobody'],
    ['lookup', { id: peerId(1) }],
  ])('a malformed %s is refused and touches nobody: %j', async (event, payload) => {
    const server = await startTestServer();
    const ring = await ringOf(server, 2);
    const socket = await connect(server);
    await ask(socket, 'join', joinRequest(3));
    expect(await ask(socket, event, payload)).toMatchObject({ ok: false, code: 'malformed' });
    expect(server.signaling.size.peers).toBe(3);
    expect(ring.every(({ connected }) => connected)).toBe(true);
  });

  test('and a question are refused to a peer that has not joined', async () => {
    const server = await startTestServer();
    await ringOf(server, 2);
    const socket = await connect(server);
    const complaint = { about: peerId(1), fault: 'misbehaves' };
    expect(await ask(socket, 'complain', complaint)).toMatchObject({ code: 'not-joined' });
    expect(await ask(socket, 'lookup', peerId(1))).toMatchObject({ code: 'not-joined' });
    expect(server.signaling.size.peers).toBe(2);
  });
});

describe('a member that knows the term (R9b)', () => {
  test('is told the era, which no other member knew, and the next is told the same (R9g)', async () => {
    const server = await startTestServer();
    const ring = await ringOf(server, 2);
    expect(ring.map(({ view }) => view.era)).toEqual([null, null]);
    const [first, second] = await Promise.all(ring.map((each) => each.askEra()));
    expect(first).toMatchObject({ ok: true });
    expect(defined(first?.ok === true ? first.era : null)).toBeGreaterThan(0);
    expect(second).toMatchObject({ ok: true, era: first?.ok === true ? first.era : null });
  });

  test('is not believed to be one without a place', async () => {
    const server = await startTestServer();
    const socket = await connect(server);
    expect(await socket.emitWithAck('settle')).toMatchObject({ ok: false, code: 'not-joined' });
  });
});

/** The same peers at another server, which knows nothing. */
async function restarted(ring: readonly TestPeer[], except: readonly TestPeer[] = []) {
  const server = await startTestServer();
  const back = ring.filter((each) => !except.includes(each));
  const replies = await Promise.all(
    back.map(async (each) => {
      const { version, room, id, secret } = each.request;
      const { ticket } = each.view;
      const request: ResumeRequest = { version, room, id, secret, ticket, removed: [] };
      const socket = await connect(server);
      return ask(socket, 'resume', request);
    }),
  );
  return { server, replies };
}

describe('a server that has lost its memory', () => {
  test('gives all that come back their places, whatever their order', async () => {
    const before = await startTestServer();
    const ring = await ringOf(before, 6);
    const order = before.signaling.peers(ROOM);
    const { server, replies } = await restarted(ring);
    expect(replies.every(({ ok }) => ok)).toBe(true);
    const after = server.signaling.peers(ROOM);
    await vi.waitFor(() => {
      const now = server.signaling.peers(ROOM);
      for (const [at, id] of order.entries())
        expect(now[(now.indexOf(id) + 1) % 6]).toBe(order[(at + 1) % 6]);
    }, WAIT);
    expect(after).toHaveLength(6);
  });

  test('keeps the place of one that is late, and takes newcomers once it waits no longer', async () => {
    const before = await startTestServer();
    const ring = await ringOf(before, 4);
    const late = defined(ring[1]);
    const { server } = await restarted(ring, [late]);
    const newcomer = await connect(server);
    const joined: unknown = await newcomer.timeout(9_000).emitWithAck('join', joinRequest(9));
    expect(joined).toMatchObject({ ok: true });
    expect(server.signaling.peers(ROOM)).toContain(late.id);
    expect(server.signaling.size.peers).toBe(5);
  }, 20_000);
});
