/** The file descriptors of this process: each connection takes one. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Warnings } from './warnings.ts';

/** So few that it may be said that there are none: the next connections take them. */
const FEW = 8;

/**
 * Has the log tell when hardly any are left. Without one the system ends new connections, and the server is
 * told nothing. Systems other than Linux do not say how many there are.
 */
export function watchDescriptors(server: Server, warnings: Warnings): void {
  const limit = descriptorsLeft();
  if (limit === null) return;
  server.on('connection', () => {
    server.getConnections((_error, connections) => {
      if (connections + FEW < limit) return;
      const message =
        'hardly any file descriptors are left for connections: raise the limit of the process (ulimit -n)';
      warnings.warn('accept', { connections }, message);
    });
  });
}

/** How many more this process may open; null where that is not known. */
function descriptorsLeft(): number | null {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const most = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return most === undefined ? null : Number(most) - readdirSync('/proc/self/fd').length;
  } catch {
    return null;
  }
}
