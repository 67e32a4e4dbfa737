/** The shipped connection to a real server, over Socket.IO, keeps the contract. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Server } from 'socket.io';
import { expect, onTestFinished, test, vi } from 'vitest';
import { socketSignaling } from '../../peer/socket-signaling.ts';
import type { LeaveRequest } from '../../shared/protocol/signaling.ts';
import { startTestServer } from '../signaling-server/test-server.ts';
import { untilTrue } from './real-time.ts';
import { signalingContract, type SignalingGround } from './signaling.ts';

/** A network between one peer and the server, which may fail. */
interface Network {
  readonly port: number;
  /** Ends every connection that leads through it. */
  readonly fail: () => void;
}

async function newNetwork(serverPort: number): Promise<Network> {
  const open = new Set<Socket>();
  const network = createServer((near) => {
    const far = connect(serverPort, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(end);
      end.on('error', () => undefined);
      end.on('close', () => {
        open.delete(end);
        other.destroy();
      });
    }
  });
  network.listen(0, '127.0.0.1');
  await once(network, 'listening');
  const fail = () => {
    for (const end of open) end.destroy();
  };
  onTestFinished(() => {
    network.close();
    fail();
  });
  return { port: portOf(network.address()), fail };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** More than any promise needs. */
const PEERS = 4;

async function socketIo(): Promise<SignalingGround> {
  const { port } = await startTestServer();
  const networks = await Promise.all(Array.from({ length: PEERS }, () => newNetwork(port)));
  return {
    newWay: () => {
      const network = networks.pop();
      if (network === undefined) throw new Error(`no more than ${PEERS} peers`);
      let goodbye: LeaveRequest | null = null;
      const signaling = socketSignaling(`http://127.0.0.1:${network.port}`, {
        onLeave: (request) => {
          goodbye = request;
        },
      });
      return {
        signaling,
        lose: () => {
          network.fail();
        },
        goodbye: () => goodbye,
      };
    },
    until: untilTrue,
  };
}

signalingContract('Socket.IO', socketIo);

test('what is asked before the page knows that it has lost its connection in its sleep is not sent later', async () => {
  const { port } = await startTestServer();
  const signaling = socketSignaling(`http://127.0.0.1:${port}`);
  onTestFinished(() => {
    signaling.drop();
  });
  const told: string[] = [];
  signaling.connect(({ type }) => told.push(type));
  await untilTrue(() => told.length === 1);
  const early: unknown[] = [];
  const late: unknown[] = [];
  const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_000);
  signaling.ask({ type: 'settle', body: null }, (reply) => early.push(reply));
  clock.mockRestore();
  await untilTrue(() => told.length === 3);
  expect(told).toEqual(['connected', 'disconnected', 'connected']);
  signaling.ask({ type: 'settle', body: null }, (reply) => late.push(reply));
  await untilTrue(() => late.length > 0);
  expect(early).toEqual([]);
});

test('that an attempt to connect is not answered is told before it is given up, once', async () => {
  const hole = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => {
    hole.close();
  });
  await once(hole, 'listening');
  const signaling = socketSignaling(`http://127.0.0.1:${portOf(hole.address())}`);
  onTestFinished(() => {
    signaling.drop();
  });
  const told: unknown[] = [];
  const begin = performance.now();
  signaling.connect((news) => told.push(news));
  await untilTrue(() => told.length === 1);
  expect(told).toEqual([{ type: 'disconnected', reason: 'no answer for 2.5 s' }]);
  // Less than half of what the page has to say it, and of what an attempt may take.
  expect(performance.now() - begin).toBeLessThan(4_000);
});

test('links wait for a server that names no STUN and TURN servers no longer than 2 s', async () => {
  const http = createHttpServer();
  const server = new Server(http, { transports: ['websocket'] });
  onTestFinished(() => server.close());
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const address = http.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const named: (readonly RTCIceServer[])[] = [];
  const signaling = socketSignaling(`http://127.0.0.1:${address.port}`, {
    onIceServers: (servers) => named.push(servers),
  });
  onTestFinished(() => {
    signaling.drop();
  });
  signaling.connect(() => undefined);
  await vi.waitFor(
    () => {
      expect(named).toEqual([[]]);
    },
    { timeout: 5_000 },
  );
});
