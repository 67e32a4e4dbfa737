/** Instances that share rooms, what their clients are told, and what becomes of those when one ends. */
import { describe, expect, test } from 'vitest';
import {
  envelope,
  instanceId,
  parseEnvelope,
  type Envelope,
} from '../../shared/instances/envelope.ts';
import { LOBBY, requestOf } from '../broker/test-broker.ts';
import { defined, peerId } from '../support.ts';
import { lastView, Servers, type TestClient } from './servers.ts';

const LEASE = 5_000;

/** They begin anew once, when they find Redis. */
function idOf(number: number): string {
  return instanceId(`server ${number}`, 2);
}

const version = requestOf(1).version;

/** What a member brings that comes again. */
function comeBack(servers: Servers, number: number, peer: number, { ticket }: { ticket: string }) {
  const client = servers.connect(number);
  const { room, id, secret } = requestOf(peer);
  const body = { version, room, id, secret, ticket, removed: [] };
  return { ...client, reply: client.ask({ type: 'resume', body }) };
}

function successorOf(client: Pick<TestClient, 'told'>) {
  return lastView(client).successor.id;
}

describe('S1a a room at one of two servers', () => {
  test('has members at both, which are told of each other', () => {
    const servers = new Servers(2);
    const one = servers.join(1, 1);
    const other = servers.join(2, 2);
    expect(other.reply()).toMatchObject({ ok: true, view: { size: 2 } });
    expect([successorOf(one), successorOf(other)]).toEqual([peerId(2), peerId(1)]);
    expect(servers.at(1).rooms.includes(LOBBY)).toBe(true);
    expect(servers.at(2).rooms.includes(LOBBY)).toBe(false);
  });

  test('answers all that members at the other ask', () => {
    const servers = new Servers(2);
    servers.join(1, 1);
    const other = servers.join(2, 2);
    expect(other.ask({ type: 'settle', body: null })()).toMatchObject({ ok: true });
    expect(other.ask({ type: 'lookup', body: peerId(1) })()).toEqual({ ok: true, isMember: true });
    expect(other.ask({ type: 'lookup', body: peerId(9) })()).toEqual({ ok: true, isMember: false });
    expect(other.ask({ type: 'join', body: requestOf(3) })()).toMatchObject({
      code: 'already-joined',
    });
    expect(other.ask({ type: 'leave', body: null })()).toEqual({ ok: true });
    expect(other.ask({ type: 'settle', body: null })()).toMatchObject({ code: 'not-joined' });
    expect(other.ask({ type: 'join', body: requestOf(3) })()).toMatchObject({ ok: true });
  });

  test('refuses there what it refuses here, and the connection can ask again', () => {
    const servers = new Servers(2);
    servers.join(1, 1);
    const other = servers.connect(2);
    const taken = { ...requestOf(1), secret: 'another secret 12' };
    expect(other.ask({ type: 'join', body: taken })()).toMatchObject({ code: 'id-taken' });
    expect(other.ask({ type: 'join', body: requestOf(2) })()).toMatchObject({ ok: true });
  });

  test('passes signals between members at both', () => {
    const servers = new Servers(2);
    const one = servers.join(1, 1);
    const other = servers.join(2, 2);
    const signals = [{ type: 'frame' as const, frame: new Uint8Array([1, 2, 3]) }];
    const link = defined(lastView(other).predecessor.link);
    const body = { to: peerId(1), edge: 'predecessor' as const, link, signals };
    expect(other.ask({ type: 'signal', body })()).toEqual({ ok: true });
    const heard = one.told.flatMap((output) =>
      output.type === 'push' && output.told.type === 'signal' ? [output.told.signal] : [],
    );
    expect(heard.at(-1)).toMatchObject({ from: peerId(2), signals });
  });

  test('is governed, left and looked at from the other', () => {
    const servers = new Servers(2);
    servers.join(1, 1);
    const { room, id, secret } = requestOf(1);
    const host = servers.connect(2);
    const order = { do: 'lock' as const };
    expect(
      host.ask({ type: 'govern', body: { version, room, host: 'a key', key: null, order } })(),
    ).toMatchObject({ code: 'not-host' });
    const watch = { type: 'watch' as const, room, body: { key: null, host: null, isHost: false } };
    host.ask(watch);
    expect(servers.outputs.at(-1)).toMatchObject({ type: 'host watch', room });
    const passer = servers.connect(2);
    const guess = { room, id, secret: 'not the secret 12' };
    expect(passer.ask({ type: 'goodbye', body: guess })()).toMatchObject({ code: 'not-joined' });
    expect(passer.ask({ type: 'goodbye', body: { room, id, secret } })()).toEqual({ ok: true });
    expect(servers.outputs).toContainEqual({ type: 'left', room, id });
  });

  test('a member at the other that loses its connection keeps its place, and comes back here', () => {
    const servers = new Servers(2);
    const one = servers.join(1, 1);
    const other = servers.join(2, 2);
    const view = lastView(other);
    other.close();
    servers.pass(100);
    const checks = one.told.filter(
      (output) => output.type === 'push' && output.told.type === 'check',
    );
    expect(checks).toHaveLength(1);
    expect(comeBack(servers, 1, 2, view).reply()).toMatchObject({
      ok: true,
      view: { incarnation: view.incarnation, size: 2 },
    });
  });

  test('S1f is given back once nobody is there, and begins without a recovery at the next', () => {
    const servers = new Servers(2);
    servers.join(1, 1).ask({ type: 'leave', body: null });
    servers.pass(1_500);
    expect(servers.join(2, 2).reply()).toMatchObject({ ok: true, view: { size: 1 } });
    expect(servers.at(2).rooms.includes(LOBBY)).toBe(true);
  });

  test('S2a S2b has later eras at each server that owns it', () => {
    const servers = new Servers(2);
    let last = 0;
    for (const number of [1, 2, 1, 2]) {
      const member = servers.join(number, 10 + number);
      const reply = member.ask({ type: 'settle', body: null })();
      if (reply?.ok !== true || !('era' in reply)) throw new Error('not settled');
      expect(reply.era).toBeGreaterThan(last);
      last = reply.era;
      member.ask({ type: 'leave', body: null });
      servers.pass(1_500);
    }
  });
});

describe('where the owner of a room dies', () => {
  /** Members 1 and 2 at the two servers; the first one, the owner, dies. */
  function orphaned() {
    const servers = new Servers(3);
    const views = [servers.join(1, 1), servers.join(2, 2)].map((client) => client);
    const tickets = views.map(lastView);
    servers.at(1).die();
    return { servers, other: defined(views[1]), tickets };
  }

  test('S1b S4d another is given the room once the lease is over; before that all hear try-again within 2 s', () => {
    const { servers, tickets } = orphaned();
    const early = comeBack(servers, 3, 1, defined(tickets[0]));
    expect(early.reply()).toBeUndefined();
    servers.pass(2_100);
    expect(early.reply()).toMatchObject({ code: 'try-again' });
    expect(servers.at(3).rooms.includes(LOBBY)).toBe(false);
    servers.pass(LEASE);
    const { room, id, secret } = requestOf(1);
    const { ticket } = defined(tickets[0]);
    const body = { version, room, id, secret, ticket, removed: [] };
    expect(early.ask({ type: 'resume', body })()).toMatchObject({ ok: true });
    expect(servers.at(3).rooms.includes(LOBBY)).toBe(true);
  });

  test('S4d what is asked just before the lease is over is answered by the next owner', () => {
    const { servers, tickets } = orphaned();
    servers.pass(LEASE - 1_000);
    const back = comeBack(servers, 3, 1, defined(tickets[0]));
    servers.pass(2_000);
    expect(back.reply()).toMatchObject({ ok: true });
  });

  test('S4b S4c the connections of its members at others are closed', () => {
    const { servers, other } = orphaned();
    servers.pass(LEASE + 2_000);
    expect(other.isCut()).toBe(true);
  });

  test('S3a a newcomer that is there first waits for those who come back', () => {
    const { servers, tickets } = orphaned();
    servers.pass(LEASE + 2_000);
    const newcomer = servers.join(3, 3);
    servers.pass(1_000);
    expect(newcomer.reply()).toBeUndefined();
    comeBack(servers, 2, 1, defined(tickets[0]));
    const last = comeBack(servers, 3, 2, defined(tickets[1]));
    servers.pass(100);
    expect(newcomer.reply()).toMatchObject({ ok: true, view: { size: 3 } });
    expect(lastView(last).incarnation).not.toBe(defined(tickets[0]).incarnation);
  });

  test('S3a nobody comes back: a newcomer has waited for five seconds', () => {
    const { servers } = orphaned();
    servers.pass(LEASE + 2_000);
    const newcomer = servers.join(3, 3);
    servers.pass(4_000);
    expect(newcomer.reply()).toBeUndefined();
    servers.pass(1_500);
    expect(newcomer.reply()).toMatchObject({ ok: true, view: { size: 1 } });
  });

  test('S3b L19 a newcomer that has waited is refused where the tickets name a host who lets nobody in', () => {
    const servers = new Servers(2);
    const { room } = requestOf(1);
    const host = servers.connect(1);
    const govern = (order: { do: 'claim' | 'lock' }) =>
      host.ask({ type: 'govern', body: { version, room, host: 'a key', key: null, order } })();
    expect(govern({ do: 'claim' })).toMatchObject({ ok: true });
    const member = servers.join(1, 1);
    expect(govern({ do: 'lock' })).toMatchObject({ ok: true, isLocked: true });
    servers.pass(100);
    const view = lastView(member);
    servers.at(1).die();
    servers.pass(LEASE + 2_000);
    const newcomer = servers.join(2, 3);
    comeBack(servers, 2, 1, view);
    servers.pass(100);
    expect(newcomer.reply()).toMatchObject({ code: 'locked' });
  });

  test('one that ends by itself leaves its rooms at once', () => {
    const servers = new Servers(2);
    const other = servers.join(2, 2);
    servers.join(1, 1);
    const view = lastView(other);
    servers.at(2).stop();
    servers.pass(100);
    expect(comeBack(servers, 1, 2, view).reply()).toMatchObject({ ok: true });
    expect(servers.at(1).rooms.includes(LOBBY)).toBe(true);
  });

  test('S4b of members at an edge that dies the owner asks their neighbours', () => {
    const servers = new Servers(2);
    const one = servers.join(1, 1);
    servers.join(2, 2);
    servers.at(2).die();
    servers.pass(LEASE + 2_000);
    expect(one.told).toContainEqual(
      expect.objectContaining({ told: { type: 'check', peer: peerId(2) } }),
    );
  });

  test('S4b one that ends by itself has others close the connections of its members at once', () => {
    const servers = new Servers(2);
    servers.join(1, 1);
    const other = servers.join(2, 2);
    servers.at(1).stop();
    servers.pass(100);
    expect(other.isCut()).toBe(true);
  });
});

describe('a server that cannot be sure', () => {
  test('S1c serves its rooms for four seconds without Redis, and then no more', () => {
    const servers = new Servers(2);
    const member = servers.join(1, 1);
    servers.redis.cut('server 1', 30_000);
    servers.pass(2_500);
    expect(member.ask({ type: 'settle', body: null })()).toMatchObject({ ok: true });
    servers.pass(2_000);
    expect(servers.at(1).rooms.includes(LOBBY)).toBe(false);
    expect(member.isCut()).toBe(true);
    expect(servers.outputs).toContainEqual({ type: 'lease lost' });
  });

  test('S1c one that was stopped for a while gives up its rooms before anything else', () => {
    const servers = new Servers(2);
    const member = servers.join(1, 1);
    servers.at(1).pause(20_000, false);
    const told = member.told.length;
    member.ask({ type: 'settle', body: null });
    servers.pass(19_000);
    expect(servers.join(2, 2).reply()).toBeUndefined();
    servers.pass(2_000);
    expect(member.told.slice(told)).toMatchObject([
      { type: 'cut' },
      { reply: { code: 'not-joined' } },
    ]);
  });

  test('S1d begins anew at another Redis, and members come back with their tickets', () => {
    const servers = new Servers(2);
    const member = servers.join(1, 1);
    const view = lastView(member);
    servers.redis.restart(200, 'all');
    servers.pass(2_500);
    expect(member.isCut()).toBe(true);
    expect(comeBack(servers, 2, 1, view).reply()).toMatchObject({ ok: true, view: { size: 1 } });
  });

  test('S1d goes on where Redis was away for a moment and is the same', () => {
    const servers = new Servers(2);
    const member = servers.join(1, 1);
    servers.redis.cut('server 1', 1_000);
    servers.pass(10_000);
    expect(member.isCut()).toBe(false);
    expect(servers.at(1).rooms.includes(LOBBY)).toBe(true);
  });

  test('S5 says try-again within a second to those that ask for a place', () => {
    const servers = new Servers(1);
    servers.redis.cut('server 1', 30_000);
    const joining = servers.join(1, 1);
    expect(joining.reply()).toBeUndefined();
    servers.pass(1_000);
    expect(joining.reply()).toMatchObject({ code: 'try-again' });
    servers.pass(5_000);
    expect(servers.join(1, 2).reply()).toMatchObject({ code: 'try-again' });
    expect(servers.outputs).toContainEqual({ type: 'put off' });
  });

  test('S5 takes in no newcomer once a renewal is late, and serves its members', () => {
    const servers = new Servers(1);
    const member = servers.join(1, 1);
    servers.redis.cut('server 1', 2_000);
    servers.pass(1_800);
    expect(servers.join(1, 2).reply()).toMatchObject({ code: 'try-again' });
    expect(member.ask({ type: 'settle', body: null })()).toMatchObject({ ok: true });
    servers.pass(3_000);
    expect(servers.join(1, 3).reply()).toMatchObject({ ok: true });
    expect(member.isCut()).toBe(false);
  });

  test('S2c a room whose members bring a later era goes on after that', () => {
    const servers = new Servers(2);
    const member = servers.join(1, 1);
    const settled = member.ask({ type: 'settle', body: null })();
    if (settled?.ok !== true || !('era' in settled)) throw new Error('not settled');
    servers.setClock(-1e9);
    servers.redis.restart(200, 'nothing');
    servers.pass(3_000);
    const back = comeBack(servers, 2, 1, settled);
    servers.pass(6_000);
    const again = back.ask({ type: 'settle', body: null })();
    if (again?.ok !== true || !('era' in again)) throw new Error('not settled');
    expect(again.era).toBeGreaterThan(settled.era);
  });
});

describe('links between servers', () => {
  /** Two servers with a member each; what the second one says to the first can be played again. */
  function linked() {
    const servers = new Servers(2);
    servers.join(1, 1);
    const other = servers.join(2, 2);
    const part = { from: idOf(2), to: idOf(1), way: 'up' as const, link: 1 };
    const say = (number: number, more: Partial<Envelope> = {}) => {
      const said = envelope({ ...part, number, items: [], isEnd: false, ...more });
      servers.at(1).give({ type: 'envelope', envelope: said });
      servers.pass(50);
    };
    return { servers, other, say };
  }

  test('S4a an envelope that came before changes nothing', () => {
    const { other, say } = linked();
    say(0, { items: [{ type: 'closed', session: 2 }] });
    expect(other.ask({ type: 'settle', body: null })()).toMatchObject({ ok: true });
  });

  test('S4a S4b a gap ends the link: the connections of its clients are closed', () => {
    const { servers, other, say } = linked();
    const view = lastView(other);
    say(900);
    expect(other.isCut()).toBe(true);
    expect(comeBack(servers, 2, 2, view).reply()).toMatchObject({ ok: true, view: { size: 2 } });
  });

  test('S4c a server that does not know a link says so: the connections on it are closed', () => {
    const { servers, other, say } = linked();
    say(1, { isEnd: true });
    expect(other.isCut()).toBe(false);
    servers.pass(2_100);
    expect(other.isCut()).toBe(true);
  });

  test('S4e one that does not own a room any more returns what it is asked', () => {
    const returned = [1, 2].map((owner) => {
      const servers = new Servers(2);
      const edge = 3 - owner;
      servers.join(owner, 1).ask({ type: 'leave', body: null });
      servers.join(edge, 2).ask({ type: 'leave', body: null });
      while (servers.at(owner).rooms.length > 0) servers.pass(10);
      const joining = servers.join(edge, 3);
      expect(joining.reply()).toMatchObject({ ok: true });
      expect(servers.at(edge).rooms).toEqual([LOBBY]);
      return servers.envelopes.some(({ items }) => items.some(({ type }) => type === 'returned'));
    });
    // It depends on which of the two gives back, or forgets, first.
    expect(returned).toContain(true);
  });

  test('S4f a server whose envelopes cannot be read is asked nothing', () => {
    const servers = new Servers(1);
    const other = instanceId('a later server', 1).replace(/^\d+/, '99');
    const renew = { type: 'renew', self: other, isNew: true, era: 0, keep: [] } as const;
    const claim = { type: 'claim', self: other, room: LOBBY, era: 0 } as const;
    for (const question of [renew, claim]) servers.ask(question);
    const joining = servers.join(1, 1);
    servers.pass(100);
    expect(joining.reply()).toMatchObject({ code: 'try-again' });
    expect(servers.envelopes).toEqual([]);
  });

  test('what an instance says survives the way to another, field by field', () => {
    const servers = new Servers(2);
    const envelopes = new Set<string>();
    const one = servers.join(1, 1);
    servers.join(2, 2).ask({ type: 'settle', body: null });
    one.ask({ type: 'leave', body: null });
    for (const said of servers.envelopes) {
      expect(parseEnvelope(structuredClone(said))).toEqual({ ok: true, value: said });
      for (const { type } of said.items) envelopes.add(type);
    }
    expect([...envelopes]).toEqual(expect.arrayContaining(['ask', 'reply', 'push']));
  });
});
