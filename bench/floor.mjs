/**
 * The floor: what the same job takes without libraries, validation, recovery or a page worth
 * looking at. A server for floor.html, and the broker of its ring.
 */
import { readFileSync } from 'node:fs';
import { listen, pageServer } from './page-server.mjs';
import { brokerRing } from './ring-broker.mjs';

const server = pageServer(readFileSync(new URL('floor.html', import.meta.url)));
brokerRing(server);
await listen(server);
