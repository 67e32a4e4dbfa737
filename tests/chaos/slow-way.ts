/** A slow connection to the server, as if it were far away. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface SlowWay {
  /** The server's address at the near end. */
  readonly url: string;
  close(): void;
}

/**
 * Opens a slow connection to a server.
 * @param url of the server, by HTTP
 * @param milliseconds delay in each direction
 */
export async function slowWay(url: string, milliseconds: number): Promise<SlowWay> {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  const entrance = createServer((near) => {
    const far = connect(Number(port), hostname);
    pass(near, far);
    pass(far, near);
  });
  /** Timers of the same length fire in the order in which they were set. */
  function pass(from: Socket, to: Socket): void {
    open.add(from);
    from.setNoDelay();
    from.on('data', (bytes) => {
      setTimeout(() => to.write(bytes), milliseconds);
    });
    // A close follows on it, and is passed on.
    from.on('error', () => undefined);
    from.once('close', () => {
      open.delete(from);
      setTimeout(() => to.destroy(), milliseconds);
    });
  }
  entrance.listen(0, '127.0.0.1');
  await once(entrance, 'listening');
  const address = entrance.address();
  if (address === null || typeof address === 'string') throw new Error('no port to listen on');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      entrance.close();
      for (const socket of open) socket.destroy();
    },
  };
}
