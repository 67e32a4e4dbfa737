/** Peers in homes of their own, which find each other by STUN and TURN as the server tells them. */
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ServerOptions } from '../../signaling-server/options.ts';
import type { RunningServer } from '../../signaling-server/server.ts';
import { Child } from '../chaos/child.ts';
import type { MemberState } from '../chaos/messages.ts';
import { launchWithin, serve } from '../e2e/support.ts';
import { defined } from '../support.ts';
import { startCoturn, TURN_SECRET, type TurnServer } from './coturn.ts';
import { internetOf, type Home, type Internet } from './homes.ts';

const PEERS = fileURLToPath(new URL('../../dist/tests/chaos/peers.js', import.meta.url));
const ROOM = 'homes';

const CONE: Home = { router: 'cone' };
const SYMMETRIC: Home = { router: 'symmetric' };

const LONG = { timeout: 30_000, interval: 50 };

/** Homes with a peer each, and the server between them. */
class Town {
  readonly internet: Internet;
  readonly turn: TurnServer;
  readonly server: RunningServer;

  constructor(internet: Internet, turn: TurnServer, server: RunningServer) {
    this.internet = internet;
    this.turn = turn;
    this.server = server;
  }

  /** Starts a process in a home whose one peer can join. */
  async peer(home: number, links: 'direct' | 'turn' = 'direct'): Promise<Child> {
    const url = `http://${this.internet.host}:${this.server.port}`;
    const command = [process.execPath, PEERS, url, ROOM, '1', links];
    const child = new Child(`home ${home}`, this.internet.within(home, command), {}, (what) => {
      throw new Error(what);
    });
    onTestFinished(() => child.kill());
    await child.whenReady();
    return child;
  }

  /** The same, and it joins. */
  async joined(home: number, links: 'direct' | 'turn' = 'direct'): Promise<Child> {
    const child = await this.peer(home, links);
    child.send({ type: 'join', slot: 0 });
    return child;
  }
}

/** @param options by what the TURN server is called */
async function townOf(
  homes: readonly Home[],
  options: (turn: TurnServer) => Partial<ServerOptions> & { readonly turnLifetime?: number },
): Promise<Town> {
  const internet = await internetOf(homes);
  onTestFinished(() => internet.close());
  const turn = await startCoturn(internet.host);
  const server = await serve({ host: internet.host, ...options(turn) });
  onTestFinished(() => server.close());
  return new Town(internet, turn, server);
}

async function stateOf(child: Child): Promise<MemberState> {
  return defined((await child.states())?.states[0] ?? undefined);
}

/** Until all are one ring under one leader, on links of a kind. Returns that leader. */
async function agreed(peers: readonly Child[], link: 'direct' | 'relayed'): Promise<string> {
  return vi.waitFor(async () => {
    const states = await Promise.all(peers.map((each) => stateOf(each)));
    for (const state of states)
      expect(state).toMatchObject({
        size: peers.length,
        successorLink: link,
        predecessorLink: link,
        leader: defined(states[0]).leader,
      });
    const { leader } = defined(states[0]);
    expect(states.map(({ id }) => id)).toContain(leader);
    return defined(leader ?? undefined);
  }, LONG);
}

const seconds = (since: number) => (performance.now() - since) / 1_000;

describe('peers behind two routers', () => {
  test('are linked through the server where there is neither STUN nor TURN', async () => {
    const town = await townOf([CONE, CONE], () => ({}));
    const peers = await Promise.all([town.joined(0), town.joined(1)]);
    await agreed(peers, 'relayed');
  });

  test('link directly within 3 s by STUN', async () => {
    const town = await townOf([CONE, CONE], ({ stun }) => ({ stunUrls: [stun] }));
    const peers = await Promise.all([town.peer(0), town.peer(1)]);
    const begun = performance.now();
    for (const each of peers) each.send({ type: 'join', slot: 0 });
    await agreed(peers, 'direct');
    const taken = seconds(begun);
    console.log(`direct links by STUN, and a leader, after ${taken.toFixed(2)} s`);
    expect(taken).toBeLessThan(3);
  });

  test('link by TURN where each of them maps every address anew', async () => {
    const stunOnly = await townOf([SYMMETRIC, SYMMETRIC], ({ stun, udp }) => ({
      stunUrls: [stun],
      turnUrls: [udp],
      turnSecret: TURN_SECRET,
      relays: false,
    }));
    const peers = await Promise.all([stunOnly.joined(0), stunOnly.joined(1)]);
    await agreed(peers, 'direct');
  });

  test('link by TURN with what it was told later, once the first credentials have expired', async () => {
    const town = await townOf([SYMMETRIC, SYMMETRIC], ({ udp }) => ({
      turnUrls: [udp],
      turnSecret: TURN_SECRET,
      turnLifetime: 4_000,
      relays: false,
    }));
    const first = await town.joined(0);
    await vi.waitFor(async () => {
      expect(await stateOf(first)).toMatchObject({ role: 'leader' });
    }, LONG);
    const begun = Date.now();
    await vi.waitFor(() => {
      expect(Date.now() - begun).toBeGreaterThan(6_000);
    }, LONG);
    const second = await town.joined(1);
    await agreed([first, second], 'direct');
  });

  test('are in no ring together where nothing but a direct link may be made, and none can', async () => {
    const town = await townOf([SYMMETRIC, SYMMETRIC], ({ stun }) => ({
      stunUrls: [stun],
      relays: false,
    }));
    const peers = await Promise.all([town.joined(0), town.joined(1)]);
    await vi.waitFor(async () => {
      for (const each of peers)
        expect(await each.history(0)).toContainEqual(
          expect.stringContaining('passes on no messages'),
        );
    }, LONG);
    for (const each of peers)
      expect(await stateOf(each)).toMatchObject({ successorLink: 'connecting' });
  });
});

test('a peer that may use a TURN server alone is elected', async () => {
  const town = await townOf([CONE, CONE, SYMMETRIC], ({ stun, udp }) => ({
    stunUrls: [stun],
    turnUrls: [udp],
    turnSecret: TURN_SECRET,
  }));
  const others = await Promise.all([town.joined(0), town.joined(1)]);
  const alone = await town.joined(2, 'turn');
  const leader = await agreed([...others, alone], 'direct');
  expect(leader).toBe((await stateOf(alone)).id);
});

test('six homes replace a leader that is killed sooner by STUN than through the server', async () => {
  const homes = Array.from({ length: 6 }, () => CONE);
  const replaced = async (link: 'direct' | 'relayed') => {
    const town = await townOf(homes, ({ stun }) => (link === 'direct' ? { stunUrls: [stun] } : {}));
    const peers = await Promise.all(homes.map((_, home) => town.joined(home)));
    const leader = await agreed(peers, link);
    const ids = await Promise.all(peers.map(async (each) => (await stateOf(each)).id));
    const killed = defined(peers[ids.indexOf(leader)]);
    await killed.kill();
    const begun = performance.now();
    await agreed(
      peers.filter((each) => each !== killed),
      link,
    );
    return seconds(begun);
  };
  const direct = await replaced('direct');
  const relayed = await replaced('relayed');
  console.log(
    `a killed leader is replaced in ${direct.toFixed(2)} s by STUN, ${relayed.toFixed(2)} s through the server`,
  );
  expect(direct).toBeLessThan(relayed);
});

describe('a page', () => {
  test('that nothing but TCP leaves is linked by TURN, says so, and is counted so', async () => {
    const homes: readonly Home[] = [CONE, { router: 'cone', blocksUdp: true }];
    const town = await townOf(homes, ({ udp, tcp }) => ({
      turnUrls: [udp, tcp],
      turnSecret: TURN_SECRET,
      relays: false,
    }));
    const url = `http://${town.internet.host}:${town.server.port}`;
    const open = async (home: number) => {
      const browser = await launchWithin((command) => town.internet.within(home, command));
      onTestFinished(() => browser.close());
      const page = await browser.newPage();
      await page.goto(`${url}/?room=${ROOM}`);
      return page;
    };
    const pages = await Promise.all([open(0), open(1)]);
    await vi.waitFor(async () => {
      for (const page of pages)
        for (const testid of ['successor-link', 'predecessor-link']) {
          const shown = await page.$eval(`[data-testid=${testid}]`, (element) => [
            element.getAttribute('data-value'),
            element.textContent,
          ]);
          expect(shown).toEqual(['direct', 'direct, by TURN']);
        }
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toContain('ringleader_links{way="turn"} 2\n');
      expect(metrics).toContain('ringleader_links{way="relayed"} 0\n');
    }, LONG);
  });
});
