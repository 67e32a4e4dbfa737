/** Peers in Node that the network keeps apart, so that all their messages go through a real server. */
import { expect, onTestFinished, test } from 'vitest';
import { IceServers } from '../../peer/ice-servers.ts';
import { nodeLinks } from '../../peer/node-links.ts';
import { createRingPeer } from '../../peer/ring-peer.ts';
import { socketSignaling } from '../../peer/socket-signaling.ts';
import type { ElectionMessage } from '../../shared/protocol/messages.ts';
import type { Cause } from '../../shared/member/events.ts';
import type { OpenLink } from '../../shared/driver/ports.ts';
import type { RingPeer } from '../../shared/driver/ring-peer.ts';
import { RELAY_AFTER } from '../../shared/member/successor.ts';
import { RELAYED_PROBE_SILENCE } from '../../shared/protocol/timeouts.ts';
import { isolatedLinks } from '../chaos/isolated-links.ts';
import { slowWay } from '../chaos/slow-way.ts';
import { defined, roomName } from '../support.ts';
import { PATIENCE, serve } from './support.ts';

const onLan = nodeLinks({ iceServers: new IceServers([]) });
const isolated = isolatedLinks(onLan);

/** Peers of one process, each a separate device as far as the ring can tell. */
class Devices {
  /** The reasons for which elections were started. */
  readonly started: Cause[] = [];
  #peers: RingPeer[];
  /** The last lap that returned to its leader. */
  #returned = -1;
  #onEvent: () => void = () => undefined;

  /** Makes them; all of them join at once. */
  constructor(url: string, room: string, count: number, openLink: OpenLink) {
    this.#peers = Array.from({ length: count }, () =>
      createRingPeer(roomName(room), {
        openLink,
        newSignaling: (options) => socketSignaling(url, options),
        onEvent: (event) => {
          if (event.type === 'started') this.started.push(event.because);
          if (event.type === 'received' && event.judgement.outcome === 'completed')
            this.#returned = lapOf(event.message);
          this.#onEvent();
        },
      }),
    );
    onTestFinished(() => {
      for (const peer of this.#peers) peer.leave();
    });
    for (const peer of this.#peers) peer.join();
  }

  get states() {
    return this.#peers.map(({ state }) => state);
  }

  /** The leader, which no longer counts as one of the devices. */
  takeLeader(): RingPeer {
    const leader = defined(this.#peers.find(({ state }) => state.role === 'leader'));
    this.#peers = this.#peers.filter((peer) => peer !== leader);
    return leader;
  }

  /**
   * Waits until all agree on one of them in one term.
   * @returns how long that took, in milliseconds
   */
  untilAgreed(): Promise<number> {
    return this.#until(() => this.#isAgreed);
  }

  /** Waits until a lap of the leader has gone round. */
  untilLap(lap: number): Promise<number> {
    return this.#until(() => this.#returned >= lap);
  }

  /** Checks at each event. */
  async #until(check: () => boolean): Promise<number> {
    const began = performance.now();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`not in time: ${JSON.stringify(this.states)}`));
      }, PATIENCE);
      this.#onEvent = () => {
        if (!check()) return;
        clearTimeout(timer);
        this.#onEvent = () => undefined;
        resolve();
      };
      this.#onEvent();
    });
    return performance.now() - began;
  }

  get #isAgreed(): boolean {
    const { states } = this;
    const [first] = states;
    if (first === undefined || first.leader === null) return false;
    return (
      states.every(({ leader, term }) => leader === first.leader && term === first.term) &&
      states.some(({ id, role }) => id === first.leader && role === 'leader')
    );
  }
}

function lapOf(message: ElectionMessage): number {
  return message.type === 'elected' ? message.decision.lap : -1;
}

test('twelve devices that are kept apart agree, and replace a leader that leaves or is killed', async () => {
  const server = await serve();
  onTestFinished(() => server.close());
  const url = `http://127.0.0.1:${server.port}/`;
  // The yardstick: the duration of the same with direct links, on this machine at this time.
  const direct = await new Devices(url, 'lan', 12, onLan).untilAgreed();
  const devices = new Devices(url, 'apart', 12, isolated);
  expect(await devices.untilAgreed()).toBeLessThan(RELAY_AFTER.none + 2 * direct);

  devices.takeLeader().leave();
  expect(await devices.untilAgreed()).toBeLessThan(RELAY_AFTER.none + 2 * direct);

  devices.takeLeader().vanish();
  const replaced = await devices.untilAgreed();
  // The server hears nothing from it, alive or not, and gives it time to come back.
  expect(replaced).toBeLessThan(RELAYED_PROBE_SILENCE + RELAY_AFTER.none + 2 * direct);
  for (const { successorLink, predecessorLink } of devices.states)
    expect([successorLink, predecessorLink]).toEqual(['relayed', 'relayed']);
});

test('devices far from their server do not take a slow circuit for a lost leader', async () => {
  const server = await serve();
  onTestFinished(() => server.close());
  const way = await slowWay(`http://127.0.0.1:${server.port}`, 150);
  onTestFinished(() => {
    way.close();
  });
  // A circuit takes 3.6 s, longer than a leader may be silent in a quick ring.
  const devices = new Devices(way.url, 'far', 12, isolated);
  await devices.untilAgreed();
  await devices.untilLap(1);
  expect(devices.started).not.toContain('timeout');
});
