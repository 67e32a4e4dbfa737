/** How many TCP connections one address may have, of whatever use: each takes a file descriptor. */
import type { Server } from 'node:http';
import { networkOf, plainAddress } from './client-address.ts';
import { Tally } from './tally.ts';

interface TcpLimits {
  readonly perAddress: number;
  /** Those of a proxy are of many clients, and are not limited. */
  readonly isProxy: (address: string) => boolean;
  /** Called for each that was too many and is closed. */
  readonly onExcess: (address: string) => void;
}

export function limitTcpConnections(
  server: Server,
  { perAddress, isProxy, onExcess }: TcpLimits,
): void {
  const tally = new Tally();
  server.on('connection', (socket) => {
    const address = plainAddress(socket.remoteAddress);
    if (isProxy(address)) return;
    const network = networkOf(address);
    if (tally.of(network) >= perAddress) {
      onExcess(address);
      socket.destroy();
      return;
    }
    tally.add(network);
    socket.once('close', () => tally.remove(network));
  });
}
