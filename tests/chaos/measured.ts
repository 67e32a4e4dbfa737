/** Loaded into the server's process before the server: lets the driver ask for its resource usage. */
import { listen, measure, tell } from './own-process.ts';

listen((message) => {
  if (message.type === 'memory')
    tell({ type: 'memory', request: message.request, memory: measure() });
});
