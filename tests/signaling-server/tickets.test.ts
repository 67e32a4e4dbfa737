/** Tickets: nobody else makes them, and they outlive the process that made them. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Memories } from '../../signaling-server/memories.ts';
import { newSecret, secretIn, stateFolder } from '../../signaling-server/secret.ts';
import { signedTickets } from '../../signaling-server/tickets.ts';
import { NO_FACTS } from '../../shared/broker/facts.ts';
import type { Ticket } from '../../shared/protocol/signaling.ts';
import { defined, peerId, roomName } from '../support.ts';
import { connect, joinRequest, startTestServer, TestPeer } from './test-server.ts';

const TICKET: Ticket = {
  facts: NO_FACTS,
  room: roomName('lobby'),
  id: peerId(1),
  policy: 'highest',
  incarnation: 'monday.1',
  era: 7,
  version: 3,
  successor: peerId(2),
  predecessor: peerId(3),
};

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'ringleader-'));
  onTestFinished(() => {
    rmSync(path, { recursive: true });
  });
  return join(path, 'state');
}

const any = () => true;

describe('a ticket', () => {
  test('is read again with the secret that it was signed with, and with no other', () => {
    const secret = newSecret();
    const sealed = signedTickets(secret, any).seal(TICKET);
    expect(signedTickets(secret, any).open(sealed)).toEqual(TICKET);
    expect(signedTickets(newSecret(), any).open(sealed)).toBeNull();
  });

  test('of which anything was changed is none', () => {
    const tickets = signedTickets(newSecret(), any);
    const sealed = tickets.seal(TICKET);
    for (let at = 0; at < sealed.length; at += 1) {
      const other = sealed[at] === 'a' ? 'b' : 'a';
      expect(tickets.open(sealed.slice(0, at) + other + sealed.slice(at + 1))).toBeNull();
    }
    for (const text of ['', '.', sealed.slice(0, -1), `${sealed}a`, JSON.stringify(TICKET)])
      expect(tickets.open(text)).toBeNull();
  });
});

describe('a memory', () => {
  const began = (path: string, port: number) => {
    const memories = new Memories();
    memories.begin(path, port);
    return memories;
  };
  const accepts = (memories: Memories, of: Memories) => memories.accepts(`${of.id}.1`);

  test('is accepted if it is of this server or of the three before it at its port', () => {
    const path = folder();
    const all = [1, 2, 3, 4, 5].map(() => began(path, 3_000));
    const last = defined(all.at(-1));
    expect(all.map((each) => accepts(last, each))).toEqual([false, true, true, true, true]);
    expect(accepts(began(path, 3_001), last)).toBe(false);
    expect(last.accepts('made up')).toBe(false);
    writeFileSync(join(path, 'memories-3000.json'), 'no JSON');
    const anew = began(path, 3_000);
    expect([accepts(anew, anew), accepts(anew, last)]).toEqual([true, false]);
  });

  test('of any server is accepted where those before are not known', () => {
    expect(accepts(new Memories(), new Memories())).toBe(true);
    expect(() => began('/dev/null/no-folder', 3_000)).toThrow();
  });

  test('that is not accepted makes its tickets none', () => {
    const secret = newSecret();
    const sealed = signedTickets(secret, any).seal(TICKET);
    expect(signedTickets(secret, () => false).open(sealed)).toBeNull();
  });
});

describe('the secret', () => {
  test('is made once, for its owner alone, and found again', () => {
    const path = folder();
    const secret = secretIn(path);
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(secretIn(path)).toBe(secret);
    expect(statSync(join(path, 'secret')).mode & 0o777).toBe(0o600);
    expect(secretIn(folder())).not.toBe(secret);
  });

  test('that is too short is refused', () => {
    const path = folder();
    secretIn(path);
    writeFileSync(join(path, 'secret'), 'short\n');
    expect(() => secretIn(path)).toThrow(`${join(path, 'secret')} has no secret`);
  });

  test.each([
    [{ STATE_DIRECTORY: '/var/lib/ringleader:/var/lib/other' }, '/var/lib/ringleader'],
    [{ XDG_STATE_HOME: '/home/me/state', STATE_DIRECTORY: '' }, '/home/me/state/ringleader'],
  ])('is kept where %j says', (environment, path) => {
    expect(stateFolder(environment)).toBe(path);
  });
});

test('a server with another secret does not know the members of before, and says so', async () => {
  const before = await startTestServer({ secret: newSecret() });
  const member = new TestPeer(await connect(before), joinRequest(1));
  await member.join();
  const after = await startTestServer({ secret: newSecret() });
  const again = new TestPeer(await connect(after), member.request);
  again.views.push(...member.views);
  expect(await again.resume()).toMatchObject({ ok: false, code: 'place-lost' });
  expect(await again.resume()).toMatchObject({ ok: false, code: 'place-lost' });
  const told = after.warnings().filter(({ msg }) => msg.includes('has not signed'));
  expect(told).toHaveLength(1);
});
