/** A spectator's connection to the server. After a loss it reconnects and asks again. */
import { io, type Socket } from 'socket.io-client';
import { timeAttempts, TIMED_OUT } from '../../peer/slow-attempts.ts';
import type { RoomName } from '../../shared/protocol/ids.ts';
import {
  parseReplyTo,
  SIGNALING_VERSION,
  type PeerToServer,
  type RefusalCode,
} from '../../shared/protocol/signaling.ts';
import {
  parseOrder,
  parseTraces,
  parseWatchReply,
  type Order,
  type Traces,
  type SpectatorToServer,
} from '../../shared/protocol/watch.ts';
import { ATTEMPT } from '../attempt.ts';
import { reachText, ReachWatch, type Reach } from '../reach.ts';
import { timeOfDay } from '../time.ts';
import type { Govern } from './hosting.svelte.ts';

/** Events from the server before they are parsed. */
interface Unparsed {
  order: (order: unknown, taken: unknown) => void;
  traces: (traces: unknown, taken: unknown) => void;
}

export interface WatchHandlers {
  readonly onOrder: (order: Order) => void;
  readonly onTraces: (traces: Traces) => void;
  /** Called each time that it begins to watch, also over another connection. */
  readonly onWatching?: () => void;
  /**
   * What keeps this page from watching, in a sentence; null when nothing does.
   * @param helps what to do, where waiting is not enough
   */
  readonly onProblem: (problem: string | null, helps?: 'reload') => void;
}

/** Milliseconds to wait for the reply, and before a spectator that was refused asks again. */
const PATIENCE = 8_000;
const RETRY = 5_000;

/** What a page knows that not all do; each null where it knows nothing. */
export interface Access {
  /** The secret of the room. */
  readonly key: string | null;
  readonly token: string | null;
  /** The key of its host, at present. */
  readonly host: () => string | null;
}

const NO_ACCESS: Access = { key: null, token: null, host: () => null };

/** Refusals that asking again does not change. */
const FINAL: ReadonlySet<RefusalCode> = new Set(['token', 'room-secret']);

const NEW_LINK = 'Ask the person who gave you the link for another one.';

export interface Watch {
  /** Asks for what only the host may do. */
  readonly govern: Govern;
}

/** Watches a room for as long as the page is open. */
export function watchRoom(
  room: RoomName,
  handlers: WatchHandlers,
  { key, host, token }: Access = NO_ACCESS,
): Watch {
  const socket: Socket<Unparsed, SpectatorToServer & PeerToServer> = io(location.origin, {
    path: new URL('socket.io', location.href).pathname,
    transports: ['websocket'],
    query: ATTEMPT,
    reconnectionDelay: 300,
    reconnectionDelayMax: 2_000,
    timeout: PATIENCE,
    auth: token === null ? {} : { token },
  });

  let lostAt: number | null = null;
  let reach: Reach | null = null;
  const reaching = new ReachWatch((found) => {
    reach = found;
    if (lostAt !== null) sayLost();
  });

  function sayLost(): void {
    lostAt ??= Date.now();
    const since = timeOfDay(lostAt).slice(0, 8);
    const more = reachText(reach, location);
    handlers.onProblem(
      [`This page cannot reach its signaling server, since ${since}.`, more, 'It keeps trying.']
        .filter((text) => text !== '')
        .join(' '),
    );
    reaching.lost();
  }

  /** The timer of the one retry. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  function retry(attempt: () => void): void {
    clearTimeout(timer);
    timer = setTimeout(attempt, RETRY);
  }

  function ask(): void {
    clearTimeout(timer);
    const request = { version: SIGNALING_VERSION, room, key, host: host() } as const;
    socket.timeout(PATIENCE).emit('watch', request, (error: Error | null, input: unknown) => {
      if (error === null) answered(input);
      else if (socket.connected) retry(ask);
    });
  }

  function sayUnknown(error: string): void {
    const text = `This page cannot read a message of the server, so something is missing: ${error}. The page and the server may have different versions: reload it.`;
    handlers.onProblem(text, 'reload');
  }

  function answered(input: unknown): void {
    const reply = parseWatchReply(input);
    if (!reply.ok) sayUnknown(reply.error);
    else if (reply.value.ok) {
      handlers.onProblem(null);
      handlers.onWatching?.();
      handlers.onOrder(reply.value.order);
    } else if (reply.value.code === 'version') {
      // Asking again would not help.
      socket.disconnect();
      handlers.onProblem(
        'This page and the server have different versions. Reload it to continue watching.',
        'reload',
      );
    } else if (FINAL.has(reply.value.code)) {
      socket.disconnect();
      handlers.onProblem(`The server refused: ${reply.value.message}. ${NEW_LINK}`);
    } else {
      const { code, message } = reply.value;
      const what = code === 'try-again' ? 'puts this page off' : 'refused';
      handlers.onProblem(`The server ${what}: ${message}. Asking again.`);
      retry(ask);
    }
  }

  const attempts = timeAttempts(() => {
    sayLost();
    reaching.unanswered();
  });
  attempts.begin();
  socket.io.on('reconnect_attempt', attempts.begin);
  socket.on('connect', () => {
    attempts.end();
    lostAt = null;
    reaching.found();
    ask();
  });
  socket.on('connect_error', ({ message }) => {
    attempts.end();
    sayLost();
    if (message !== TIMED_OUT) reaching.failed();
  });
  socket.on('disconnect', (reason) => {
    clearTimeout(timer);
    if (reason === 'io client disconnect') return;
    sayLost();
    // The library leaves this one case to its user: the server itself ended the connection.
    if (reason === 'io server disconnect')
      retry(() => {
        attempts.begin();
        socket.connect();
      });
  });
  socket.on('order', (input, taken) => {
    const order = parseOrder(input);
    if (order.ok) handlers.onOrder(order.value);
    else sayUnknown(order.error);
    acknowledge(taken);
  });
  socket.on('traces', (input, taken) => {
    const traces = parseTraces(input);
    if (traces.ok) handlers.onTraces(traces.value);
    else sayUnknown(traces.error);
    acknowledge(taken);
  });

  return {
    govern: (as, order, onReply) => {
      if (!socket.connected) {
        onReply(null);
        return;
      }
      const request = { version: SIGNALING_VERSION, room, host: as, key, order };
      socket.timeout(PATIENCE).emit('govern', request, (error: Error | null, input: unknown) => {
        const reply = error === null ? parseReplyTo('govern', input) : null;
        onReply(reply?.ok === true ? reply.value : null);
      });
    },
  };
}

function acknowledge(taken: unknown): void {
  if (isAcknowledge(taken)) taken();
}

/** Whether the last argument of an event is its acknowledgement callback. */
function isAcknowledge(input: unknown): input is () => void {
  return typeof input === 'function';
}
