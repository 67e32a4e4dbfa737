/** Spectators of a room, and the traces that its members send for them. */
import type { Socket } from 'socket.io-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { socketSignaling, type SendTrace } from '../../peer/socket-signaling.ts';
import { SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import {
  MAX_ENTRIES,
  parseOrder,
  parseTraces,
  parseWatchReply,
  type PeerTrace,
  type Trace,
} from '../../shared/protocol/watch.ts';
import { MAX_TRACES_AT_ONCE } from '../../signaling-server/clients.ts';
import {
  MAX_ENTRIES_PER_TICK,
  MAX_TELLS_AT_ONCE,
  MAX_UNTAKEN,
} from '../../signaling-server/watch.ts';
import { defined, peerId, roomName, valueOf } from '../support.ts';
import {
  ask,
  connect,
  joinRequest,
  ROOM,
  startTestServer,
  type TestServer,
} from './test-server.ts';

/** How long a condition is checked, in milliseconds. */
const WAIT = { timeout: 5_000 };

const NO_KEYS = { key: null, host: null };
const WATCH = { version: SIGNALING_VERSION, room: ROOM, ...NO_KEYS };

/** A trace of the given length, all of one term. */
function trace(term = 1, length = 1, changes: Partial<Trace> = {}): Trace {
  const entry = {
    type: 'state',
    at: 5,
    role: 'candidate',
    term,
    leader: null,
    link: 'none',
  } as const;
  return { at: 6, first: 0, entries: Array.from({ length }, () => entry), lost: 0, ...changes };
}

class Spectator {
  readonly socket: Socket;
  readonly orders: (readonly string[])[] = [];
  policy: string | null = null;
  readonly traces: PeerTrace[] = [];
  missed = 0;
  /** The acknowledgements that it withholds, while it must. */
  isSlow = false;
  #held: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('order', (order: unknown, taken: () => void) => {
      const { peers, policy } = valueOf(parseOrder(order));
      this.orders.push(peers);
      this.policy = policy;
      this.#take(taken);
    });
    socket.on('traces', (input: unknown, taken: () => void) => {
      const { traces, missed } = valueOf(parseTraces(input));
      this.traces.push(...traces);
      this.missed += missed;
      this.#take(taken);
    });
  }

  get held(): number {
    return this.#held.length;
  }

  get entries(): number {
    return this.traces.reduce((sum, { trace }) => sum + trace.entries.length, 0);
  }

  #take(taken: () => void): void {
    if (this.isSlow) this.#held.push(taken);
    else taken();
  }

  hurry(): void {
    this.isSlow = false;
    for (const taken of this.#held.splice(0)) taken();
  }
}

async function spectator(
  server: TestServer,
  request: unknown = WATCH,
  localAddress?: string,
): Promise<Spectator> {
  const socket = await connect(server, { localAddress });
  const watching = new Spectator(socket);
  const reply = valueOf(parseWatchReply(await socket.emitWithAck('watch', request)));
  if (!reply.ok) throw new Error(reply.message);
  watching.orders.push(reply.order.peers);
  return watching;
}

/** A member, and whether it was told that it has spectators. */
async function member(
  server: TestServer,
  number: number,
): Promise<{ readonly socket: Socket; readonly watched: boolean[] }> {
  const socket = await connect(server);
  const watched: boolean[] = [];
  socket.on('watched', (isWatched: boolean) => watched.push(isWatched));
  expect(await ask(socket, 'join', joinRequest(number))).toMatchObject({ ok: true });
  return { socket, watched };
}

describe('a spectator', () => {
  test('of a room that is not there yet is told its order as it grows, and when it is empty', async () => {
    const server = await startTestServer();
    const watching = await spectator(server);
    expect(watching.orders).toEqual([[]]);
    const one = await member(server, 1);
    await vi.waitFor(() => {
      expect(watching.orders.at(-1)).toEqual([peerId(1)]);
    });
    expect(watching.policy).toBe('highest');
    const two = await member(server, 2);
    await vi.waitFor(() => {
      expect(watching.orders.at(-1)).toEqual(server.signaling.peers(ROOM));
      expect(watching.orders.at(-1)).toHaveLength(2);
    });
    await ask(one.socket, 'leave');
    await ask(two.socket, 'leave');
    await vi.waitFor(() => {
      expect(watching.orders.at(-1)).toEqual([]);
    });
    expect(watching.policy).toBe(null);
  });

  test('is no member', async () => {
    const server = await startTestServer();
    await spectator(server);
    expect(server.signaling.size).toEqual({ rooms: 0, peers: 0 });
    expect(server.signaling.spectators).toBe(1);
  });

  test('gets what members send, and whose it is', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    const two = await member(server, 2);
    const watching = await spectator(server);
    expect(await ask(one.socket, 'trace', trace(7))).toEqual({ ok: true });
    expect(await ask(two.socket, 'trace', trace(8))).toEqual({ ok: true });
    await vi.waitFor(() => {
      expect(watching.traces.map(({ peer, trace: { entries } }) => [peer, entries])).toEqual([
        [peerId(1), trace(7).entries],
        [peerId(2), trace(8).entries],
      ]);
    });
  });

  test('hears nothing of other rooms', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    const elsewhere = await spectator(server, { ...WATCH, room: roomName('elsewhere') });
    const here = await spectator(server);
    await ask(one.socket, 'trace', trace());
    await vi.waitFor(() => {
      expect(here.traces).toHaveLength(1);
    });
    expect(elsewhere.traces).toEqual([]);
    expect(elsewhere.orders).toEqual([[]]);
  });

  test.each([
    ['nothing', undefined, 'malformed'],
    ['no room', { version: SIGNALING_VERSION }, 'malformed'],
    ['a room that has no such name', { ...WATCH, room: 'a b' }, 'malformed'],
    ['more than there is', { ...WATCH, id: peerId(1) }, 'malformed'],
    ['another version', { ...WATCH, version: 9 }, 'version'],
  ])('that asks for %s is refused', async (_, request, code) => {
    const server = await startTestServer();
    const socket = await connect(server);
    expect(await ask(socket, 'watch', request)).toMatchObject({ ok: false, code });
    expect(server.signaling.spectators).toBe(0);
  });

  test('beyond those that a room or the server takes is refused, until one goes', async () => {
    const server = await startTestServer({ spectatorsPerRoom: 2, spectators: 3 });
    const first = await spectator(server);
    await spectator(server, WATCH, '127.0.0.2');
    const socket = await connect(server);
    expect(await ask(socket, 'watch', WATCH)).toMatchObject({
      code: 'room-full',
      message: 'the limit of spectators for room lobby is 2',
    });
    await spectator(server, { ...WATCH, room: 'elsewhere' }, '127.0.0.3');
    expect(await ask(socket, 'watch', { ...WATCH, room: 'third' })).toMatchObject({
      code: 'room-full',
      message: 'the limit of spectators for this server is 3',
    });
    first.socket.disconnect();
    await vi.waitFor(async () => {
      expect(await ask(socket, 'watch', WATCH)).toMatchObject({ ok: true });
    });
  });

  test('of a network that has its share of a room, or of all, is refused, and another is not', async () => {
    const server = await startTestServer({ spectatorsPerRoom: 4, spectators: 12 });
    const elsewhere = { ...WATCH, room: 'elsewhere' };
    const first = await spectator(server);
    await spectator(server);
    const socket = await connect(server);
    const tooMany = { ok: false, code: 'try-again' };
    expect(await ask(socket, 'watch', WATCH)).toMatchObject(tooMany);
    await spectator(server, elsewhere);
    expect(await ask(socket, 'watch', elsewhere)).toMatchObject(tooMany);
    for (let place = 0; place < 2; place += 1) await spectator(server, WATCH, '127.0.0.2');
    const { values } = await server.signaling.metrics.refusals.get();
    expect(values).toContainEqual({ value: 2, labels: { reason: 'too-many-spectators' } });
    first.socket.disconnect();
    await vi.waitFor(async () => {
      expect(await ask(socket, 'watch', WATCH)).toMatchObject({ ok: true });
    });
  });

  test('cannot join, and a member cannot watch, nor anyone two rooms', async () => {
    const server = await startTestServer();
    const { socket } = await spectator(server);
    const refused = { code: 'already-joined' };
    expect(await ask(socket, 'join', joinRequest(1))).toMatchObject(refused);
    expect(await ask(socket, 'watch', { ...WATCH, room: 'other' })).toMatchObject(refused);
    const one = await member(server, 2);
    expect(await ask(one.socket, 'watch', WATCH)).toMatchObject(refused);
  });

  test('cannot send traces', async () => {
    const server = await startTestServer();
    const { socket, traces } = await spectator(server);
    expect(await ask(socket, 'trace', trace())).toMatchObject({ code: 'not-joined' });
    expect(traces).toEqual([]);
  });

  test('that does nothing for a while misses none of what little comes, each with a message of its own', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    const slow = await spectator(server);
    const quick = await spectator(server);
    slow.isSlow = true;
    const count = 15;
    for (let term = 1; term <= count; term += 1) {
      expect(await ask(one.socket, 'trace', trace(term))).toEqual({ ok: true });
      await vi.waitFor(() => {
        expect(quick.traces).toHaveLength(term);
      }, WAIT);
    }
    await vi.waitFor(() => {
      expect(slow.held).toBe(count);
    }, WAIT);
    slow.hurry();
    expect(slow.traces).toEqual(quick.traces);
    expect(slow.missed).toBe(0);
  });

  test('that is slow misses what comes, and is told how much and what the peers are once it keeps up', async () => {
    const server = await startTestServer();
    const each = MAX_TRACES_AT_ONCE / 2;
    const members = await Promise.all(
      Array.from({ length: Math.ceil(MAX_UNTAKEN / MAX_ENTRIES / each) }, (_, number) =>
        member(server, number + 1),
      ),
    );
    const slow = await spectator(server);
    const quick = await spectator(server);
    /** Makes all members send traces, a tick's worth at a time. */
    const sendTrace = async () => {
      for (const { socket } of members) {
        const expected = quick.entries + each * MAX_ENTRIES;
        const replies = Array.from({ length: each }, () =>
          ask(socket, 'trace', trace(1, MAX_ENTRIES)),
        );
        for (const reply of await Promise.all(replies)) expect(reply).toEqual({ ok: true });
        await vi.waitFor(() => {
          expect(quick.entries).toBeGreaterThanOrEqual(expected);
        }, WAIT);
      }
    };
    slow.isSlow = true;
    await sendTrace();
    const got = slow.entries;
    expect(got).toBeLessThanOrEqual(MAX_UNTAKEN);
    expect(got).toBeGreaterThan(MAX_UNTAKEN - each * MAX_ENTRIES);
    const told = members.map(({ watched }) => watched.length);

    slow.hurry();
    const another = await member(server, members.length + 1);
    await vi.waitFor(async () => {
      await ask(another.socket, 'trace', trace(99));
      expect(slow.entries).toBeGreaterThan(got);
    }, WAIT);
    const { missed } = slow;
    expect(missed).toBeGreaterThan(0);
    await vi.waitFor(() => {
      expect(members.every(({ watched }, at) => watched.length > (told[at] ?? 0))).toBe(true);
    }, WAIT);

    // Nobody misses as much again.
    await sendTrace();
    await vi.waitFor(() => {
      expect(slow.entries + missed).toBe(quick.entries);
    }, WAIT);
    expect(slow.missed).toBe(missed);
    expect(quick.missed).toBe(0);
  });
});

describe('members', () => {
  test('are told when the first spectator comes and the last one goes', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    expect(one.watched).toEqual([]);
    const first = await spectator(server);
    const second = await spectator(server);
    await vi.waitFor(() => {
      // Once for each, which must learn the peer's state.
      expect(one.watched).toEqual([true, true]);
    });
    const two = await member(server, 2);
    expect(two.watched).toEqual([true]);
    first.socket.disconnect();
    await vi.waitFor(() => {
      expect(server.signaling.spectators).toBe(1);
    });
    second.socket.disconnect();
    await vi.waitFor(() => {
      expect(one.watched).toEqual([true, true, false]);
      expect(two.watched).toEqual([true, false]);
    });
    const three = await member(server, 3);
    expect(three.watched).toEqual([]);
  });

  test('are told little, and the truth in the end, where a spectator comes and goes time after time', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    const start = performance.now();
    const times = 40;
    for (let time = 0; time < times; time += 1) {
      const { socket } = await spectator(server);
      socket.disconnect();
      await vi.waitFor(() => {
        expect(server.signaling.spectators).toBe(0);
      }, WAIT);
    }
    await vi.waitFor(() => {
      expect(one.watched.at(-1)).toBe(false);
    }, WAIT);
    // Everything that may be told at once, and one more in each second since.
    const most = MAX_TELLS_AT_ONCE + (performance.now() - start) / 1_000;
    expect(one.watched.length).toBeLessThanOrEqual(most);
    expect(most).toBeLessThan(times);
    // Spectators that come later learn the peers' state nevertheless.
    await spectator(server);
    await vi.waitFor(() => {
      expect(one.watched.at(-1)).toBe(true);
    }, WAIT);
  });

  test('that come while the others are not told yet learn the end as well', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    /** Has a spectator present during something. */
    const beside = async (happen: () => Promise<void>) => {
      const { socket } = await spectator(server);
      await happen();
      socket.disconnect();
      await vi.waitFor(() => {
        expect(server.signaling.spectators).toBe(0);
      }, WAIT);
    };
    // So often that nothing more may be told for now.
    for (let time = 0; time < MAX_TELLS_AT_ONCE / 2; time += 1)
      await beside(() => Promise.resolve());
    let watched: readonly boolean[] = [];
    await beside(async () => {
      ({ watched } = await member(server, 2));
    });
    await vi.waitFor(() => {
      expect([watched.at(-1), one.watched.at(-1)]).not.toContain(true);
    }, WAIT);
  });

  test('may still send traces as the last spectator goes', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    expect(await ask(one.socket, 'trace', trace())).toEqual({ ok: true });
    expect(server.warnings()).toEqual([]);
  });

  test('are done with a trace once it has arrived, and with one that cannot be sent', async () => {
    const server = await startTestServer();
    const watching = await spectator(server);
    const told: string[] = [];
    let send: SendTrace | null = null;
    const shipped = socketSignaling(server.url, {
      onWatched: (way) => {
        send = way;
      },
    });
    onTestFinished(() => {
      shipped.drop();
    });
    shipped.connect(({ type }) => {
      told.push(type);
      if (type !== 'connected') return;
      shipped.ask({ type: 'join', body: joinRequest(1) }, () => told.push('joined'));
    });
    const way = await vi.waitFor(() => defined(send), WAIT);
    const isDone = async () => {
      const onDone = vi.fn();
      way(trace(), onDone);
      await vi.waitFor(() => {
        expect(onDone).toHaveBeenCalledOnce();
      }, WAIT);
    };
    await isDone();
    await vi.waitFor(() => {
      expect(watching.traces).toHaveLength(1);
    }, WAIT);
    shipped.drop();
    await isDone();
    expect(told).toEqual(['connected', 'joined']);
  });

  test('send traces only as themselves', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    await member(server, 2);
    const watching = await spectator(server);
    const forged = { ...trace(), peer: peerId(2) };
    expect(await ask(one.socket, 'trace', forged)).toMatchObject({ code: 'malformed' });
    await ask(one.socket, 'trace', trace());
    await vi.waitFor(() => {
      expect(watching.traces.map(({ peer }) => peer)).toEqual([peerId(1)]);
    });
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['no entries', trace(1, 0)],
    ['too many entries', trace(1, MAX_ENTRIES + 1)],
    ['a term out of range', trace(2 ** 32)],
    ['a clock that is no number', { ...trace(), at: 'now' }],
    ['a clock that runs backwards', { ...trace(), at: -1 }],
    ['a long reason', { ...trace(), entries: [{ type: 'received', reason: 'x'.repeat(65) }] }],
    ['an unknown event', { ...trace(), entries: [{ type: 'won', at: 1 }] }],
  ])('that say %s are refused and nothing is passed on', async (_, faulty) => {
    const server = await startTestServer();
    const one = await member(server, 1);
    const watching = await spectator(server);
    expect(await ask(one.socket, 'trace', faulty)).toMatchObject({ code: 'malformed' });
    await ask(one.socket, 'trace', trace());
    await vi.waitFor(() => {
      expect(watching.traces).toHaveLength(1);
    });
  });

  test('that send traces too often are refused', async () => {
    const server = await startTestServer();
    const one = await member(server, 1);
    const watching = await spectator(server);
    const replies = await Promise.all(
      Array.from({ length: MAX_TRACES_AT_ONCE + 5 }, () => ask(one.socket, 'trace', trace())),
    );
    const taken = replies.filter(({ ok }) => ok).length;
    expect(taken).toBeGreaterThanOrEqual(MAX_TRACES_AT_ONCE);
    expect(taken).toBeLessThan(replies.length);
    await vi.waitFor(() => {
      expect(watching.traces).toHaveLength(taken);
    });
  });

  test('that send more together than is passed on at once are counted', async () => {
    const server = await startTestServer();
    const watching = await spectator(server);
    const many = MAX_ENTRIES_PER_TICK / MAX_ENTRIES + 8;
    const one = (await member(server, 1)).socket;
    const two = (await member(server, 2)).socket;
    await Promise.all(
      Array.from({ length: many }, (_, at) =>
        ask(at % 2 === 0 ? one : two, 'trace', trace(1, MAX_ENTRIES)),
      ),
    );
    await vi.waitFor(() => {
      const entries = watching.traces.reduce(
        (sum, { trace: each }) => sum + each.entries.length,
        0,
      );
      expect(entries + watching.missed).toBe(many * MAX_ENTRIES);
    });
  });
});
