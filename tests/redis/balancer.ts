/** A TCP balancer: each connection goes to the next of the servers that takes it. */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

export interface Balancer {
  readonly port: number;
  close(): void;
}

/** @param ports of the servers on this machine */
export async function balance(ports: readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>();
  let turn = 0;
  const server = createServer((client) => {
    open.add(client);
    client.on('error', () => client.destroy());
    client.on('close', () => open.delete(client));
    turn += 1;
    const order = ports.map((_, at) => ports[(at + turn) % ports.length] ?? 0);
    connect(client, order);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    close: () => {
      server.close();
      for (const client of open) client.destroy();
    },
  };
}

function connect(client: Socket, [port, ...others]: readonly number[]): void {
  if (port === undefined) {
    client.destroy();
    return;
  }
  const upstream = createConnection(port, '127.0.0.1');
  let isConnected = false;
  upstream.once('connect', () => {
    isConnected = true;
    client.pipe(upstream).pipe(client);
  });
  upstream.on('error', () => upstream.destroy());
  upstream.on('close', () => {
    if (isConnected) client.destroy();
    else connect(client, others);
  });
  client.on('close', () => upstream.destroy());
}
