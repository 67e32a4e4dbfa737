/** Loaded into the server's process ahead of the server: lets the driver ask what it takes up. */
import { listen, measure, tell } from './own-process.ts';

listen((message) => {
  if (message.type === 'memory')
    tell({ type: 'memory', request: message.request, memory: measure() });
});
