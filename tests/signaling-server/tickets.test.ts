/** Tickets: nobody else makes them, and they outlive the process that made them. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { newSecret, secretIn, stateFolder } from '../../signaling-server/secret.ts';
import { signedTickets } from '../../signaling-server/tickets.ts';
import type { Ticket } from '../../shared/protocol/signaling.ts';
import { peerId, roomName } from '../support.ts';
import { connect, joinRequest, startTestServer, TestPeer } from './test-server.ts';

const TICKET: Ticket = {
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

describe('a ticket', () => {
  test('is read again with the secret that it was signed with, and with no other', () => {
    const secret = newSecret();
    const onUnknown = vi.fn();
    const sealed = signedTickets(secret, onUnknown).seal(TICKET);
    expect(signedTickets(secret, onUnknown).open(sealed)).toEqual(TICKET);
    expect(onUnknown).not.toHaveBeenCalled();
    expect(signedTickets(newSecret(), onUnknown).open(sealed)).toBeNull();
    expect(onUnknown).toHaveBeenCalledTimes(1);
  });

  test('of which anything was changed is none', () => {
    const tickets = signedTickets(newSecret(), () => undefined);
    const sealed = tickets.seal(TICKET);
    for (let at = 0; at < sealed.length; at += 1) {
      const other = sealed[at] === 'a' ? 'b' : 'a';
      expect(tickets.open(sealed.slice(0, at) + other + sealed.slice(at + 1))).toBeNull();
    }
    for (const text of ['', '.', sealed.slice(0, -1), `${sealed}a`, JSON.stringify(TICKET)])
      expect(tickets.open(text)).toBeNull();
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
