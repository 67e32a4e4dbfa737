/** A watcher's connection to the server. It comes back by itself and asks again. */
import { WebSocket as WebSocketTransport } from 'engine.io-client';
import { io, type Socket } from 'socket.io-client';
import { isAcknowledge } from '../../peer/socket-signaling.ts';
import type { RoomName } from '../../shared/protocol/ids.ts';
import { SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import {
  parseOrder,
  parseReports,
  parseWatchReply,
  type Order,
  type Reports,
  type WatcherToServer,
} from '../../shared/protocol/watch.ts';

/** Events from the server before they are parsed. */
interface Unparsed {
  order: (order: unknown, taken: unknown) => void;
  reports: (reports: unknown, taken: unknown) => void;
}

export interface WatchHandlers {
  readonly onOrder: (order: Order) => void;
  readonly onReports: (reports: Reports) => void;
  /** What keeps this page from watching, in a sentence; null when nothing does. */
  readonly onProblem: (problem: string | null) => void;
}

/** Milliseconds to wait for the answer, and before a watcher that was refused asks again. */
const PATIENCE = 8_000;
const RETRY = 5_000;

/** Watches a room for as long as the page is there. */
export function watchRoom(room: RoomName, handlers: WatchHandlers): void {
  const socket: Socket<Unparsed, WatcherToServer> = io(location.origin, {
    path: new URL('socket.io', location.href).pathname,
    transports: [WebSocketTransport],
    reconnectionDelay: 300,
    reconnectionDelayMax: 2_000,
    timeout: PATIENCE,
  });

  /** Of the one thing that is tried again later. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  function retry(attempt: () => void): void {
    clearTimeout(timer);
    timer = setTimeout(attempt, RETRY);
  }

  function ask(): void {
    clearTimeout(timer);
    const request = { version: SIGNALING_VERSION, room } as const;
    socket.timeout(PATIENCE).emit('watch', request, (error: Error | null, input: unknown) => {
      if (error === null) answered(input);
      else if (socket.connected) retry(ask);
    });
  }

  function answered(input: unknown): void {
    const reply = parseWatchReply(input);
    if (!reply.ok) handlers.onProblem(`The server answers something odd: ${reply.error}.`);
    else if (reply.value.ok) {
      handlers.onProblem(null);
      handlers.onOrder(reply.value.order);
    } else {
      handlers.onProblem(`The server says no: ${reply.value.message}. Asking again.`);
      retry(ask);
    }
  }

  socket.on('connect', ask);
  socket.on('connect_error', () => {
    handlers.onProblem('The server cannot be reached. This page keeps trying.');
  });
  socket.on('disconnect', (reason) => {
    clearTimeout(timer);
    handlers.onProblem('The connection to the server is lost. This page keeps trying.');
    // The library leaves this one case to its user: the server itself ended the connection.
    if (reason === 'io server disconnect') retry(() => socket.connect());
  });
  socket.on('order', (input, taken) => {
    const order = parseOrder(input);
    if (order.ok) handlers.onOrder(order.value);
    acknowledge(taken);
  });
  socket.on('reports', (input, taken) => {
    const reports = parseReports(input);
    if (reports.ok) handlers.onReports(reports.value);
    acknowledge(taken);
  });
}

function acknowledge(taken: unknown): void {
  if (isAcknowledge(taken)) taken();
}
