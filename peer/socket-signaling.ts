/** The connection to the signaling server, by socket.io-client. */
import { io, type ManagerOptions, type Socket } from 'socket.io-client';
import { parsePeerId, type Parsed } from '../shared/protocol/ids.ts';
import {
  claimOf,
  parseIceServers,
  parseReplyTo,
  parseSignalDelivery,
  parseView,
  type IceServers,
  type LeaveRequest,
  type LinkWay,
  type PeerToServer,
  type Request,
} from '../shared/protocol/signaling.ts';
import type { TracerToServer, Trace } from '../shared/protocol/watch.ts';
import type { Signaling } from '../shared/driver/ports.ts';
import { timeAttempts, TIMED_OUT, UNANSWERED } from './slow-attempts.ts';
import type { ServerNews } from '../shared/member/turn.ts';
import { PLACE_PATIENCE, REPLY_PATIENCE } from '../shared/protocol/timeouts.ts';

/** Events from the server before they are parsed. */
interface Unparsed {
  view: (view: unknown) => void;
  signal: (delivery: unknown) => void;
  check: (peer: unknown) => void;
  ice: (servers: unknown) => void;
  watched: (isWatched: unknown) => void;
}

/** Says by which way the link to the successor goes. */
export type ReportWay = (way: LinkWay) => void;

/** Sends a trace; `onDone` is called once it has arrived, or is known to be lost. */
export type SendTrace = (trace: Trace, onDone: () => void) => void;

/** Milliseconds between attempts to reach a server that is down, with 50% jitter. */
const FIRST_RETRY = 300;
const LAST_RETRY = 2_000;

/**
 * How long an attempt to connect may take, in milliseconds. Short, because the server does not keep places
 * for long: a server that is back must be found soon.
 */
const ATTEMPT_PATIENCE = 8_000;

/** How long links wait for the server to name STUN and TURN servers, in milliseconds. */
const ICE_PATIENCE = 2_000;

export interface SocketOptions {
  /** WebSockets by default, which need no sticky sessions. */
  readonly transports?: ManagerOptions['transports'];
  /** Parameters in the address of each connection. */
  readonly query?: ManagerOptions['query'];
  /**
   * Called with the STUN and TURN servers of links made from now on, as soon as there is a connection, and
   * when other ones are to be used.
   */
  readonly onIceServers?: (servers: readonly RTCIceServer[]) => void;
  /** Called with a way to tell the server how the successor is linked; with null when there is none any more. */
  readonly onReporting?: (report: ReportWay | null) => void;
  /** The token by which the server lets this client in, asked for at each connection. */
  readonly token?: () => string | null;
  /** Called by a member that leaves, as a second way to tell the server. */
  readonly onLeave?: (request: LeaveRequest) => void;
  /**
   * Called when spectators come to the room, with a way to send traces; with null when the last one has
   * gone.
   */
  readonly onWatched?: (send: SendTrace | null) => void;
}

/**
 * Connects to a signaling server and keeps trying until told to leave.
 * @param url of the server or of a page of it, such as `https://example.org/ring/`
 */
export function socketSignaling(
  url: string,
  {
    transports = ['websocket'],
    query = {},
    onIceServers = () => undefined,
    onReporting = () => undefined,
    token = () => null,
    onLeave = () => undefined,
    onWatched = () => undefined,
  }: SocketOptions = {},
): Signaling {
  // In an address given to the library, a path would mean a namespace.
  const { origin, pathname } = new URL('socket.io', url);
  const socket: Socket<Unparsed, PeerToServer & TracerToServer> = io(origin, {
    path: pathname,
    transports,
    query,
    autoConnect: false,
    forceNew: true,
    reconnectionDelay: FIRST_RETRY,
    reconnectionDelayMax: LAST_RETRY,
    timeout: ATTEMPT_PATIENCE,
    auth: (give) => {
      const own = token();
      give(own === null ? {} : { token: own });
    },
  });

  function listen(onNews: (news: ServerNews) => void): void {
    const parsed =
      <T>(parse: (input: unknown) => Parsed<T>, newsOf: (value: T) => ServerNews) =>
      (input: unknown) => {
        const result = parse(input);
        onNews(result.ok ? newsOf(result.value) : { type: 'invalid', error: result.error });
      };
    socket.on('connect', () => {
      attempts.end();
      onNews({ type: 'connected' });
      onReporting(reportWay);
      if (!hasIce) setTimeout(withoutIce, ICE_PATIENCE);
    });
    socket.on('connect_error', (error) => {
      attempts.end();
      // Of one that is given up for want of an answer, that was said.
      if (error.message !== TIMED_OUT) onNews({ type: 'disconnected', reason: error.message });
    });
    socket.on('disconnect', (reason) => {
      // Where the library knew before this page that it was lost, it has kept what was asked since.
      socket.sendBuffer = [];
      onReporting(null);
      // A member that comes back is told again.
      onWatched(null);
      onNews({ type: 'disconnected', reason });
      // The library leaves this one case to its user: the server itself ended the connection.
      if (reason === 'io server disconnect') connectLater();
    });
    socket.on(
      'view',
      parsed(parseView, (view) => ({ type: 'view', view })),
    );
    socket.on(
      'signal',
      parsed(parseSignalDelivery, (delivery) => ({ type: 'signal', delivery })),
    );
    socket.on(
      'check',
      parsed(parsePeerId, (peer) => ({ type: 'check', peer })),
    );
    socket.on('ice', (input) => {
      const servers = parseIceServers(input);
      // Of others nothing is known: links do not wait for ever.
      hasIce ||= servers.ok;
      if (servers.ok) onIceServers(servers.value.map(defined));
      else onNews({ type: 'invalid', error: servers.error });
    });
    socket.on('watched', (isWatched) => {
      onWatched(isWatched === true ? sendTrace : null);
    });
  }

  let tell: (news: ServerNews) => void = () => undefined;
  const attempts = timeAttempts(() => {
    tell({ type: 'disconnected', reason: UNANSWERED });
  });
  socket.io.on('reconnect_attempt', attempts.begin);

  function connect(): void {
    attempts.begin();
    socket.connect();
  }

  /** Whether the server has named STUN and TURN servers, if only to say that there are none. */
  let hasIce = false;
  let hasLeft = false;
  /** The id whose place this connection holds. */
  let holder: LeaveRequest | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;

  /** Not at once: a server that refuses everyone would be called without end. */
  function connectLater(): void {
    clearTimeout(retry);
    // A listener may have left when it heard of the loss.
    if (hasLeft) return;
    retry = setTimeout(connect, LAST_RETRY * (0.5 + Math.random()));
  }

  /** Without a valid reply to a request for a place it connects again later. Nothing else is asked again. */
  function ask(request: Request, onReply: (reply: unknown) => void): void {
    if (!socket.connected) return;
    const { type, body } = request;
    const claim = claimOf(request);
    const patience = type === 'join' ? PLACE_PATIENCE : REPLY_PATIENCE;
    const take = (error: Error | null, reply: unknown) => {
      const placed = claim && parseReplyTo('join', reply);
      // One that is put off keeps what it holds.
      if (placed?.ok === true && (placed.value.ok || placed.value.code !== 'try-again'))
        holder = placed.value.ok ? claim : null;
      if (error === null) onReply(reply);
      if (placed?.ok !== false || !socket.connected) return;
      socket.disconnect();
      connectLater();
    };
    socket.timeout(patience).emit(type, ...(body === null ? [] : [body]), take);
  }

  /** A server of an earlier version names none: it is asked for a place all the same, and says so. */
  function withoutIce(): void {
    if (!hasIce && socket.connected) onIceServers([]);
  }

  function reportWay(way: LinkWay): void {
    if (socket.connected) socket.timeout(REPLY_PATIENCE).emit('way', way, () => undefined);
  }

  /** Whatever the reply: what was not taken is not sent again. */
  function sendTrace(trace: Trace, onDone: () => void): void {
    if (socket.connected) socket.timeout(REPLY_PATIENCE).emit('trace', trace, onDone);
    else onDone();
  }

  /** The second way is a courtesy: a fault in it is reported, and does not keep the peer from leaving. */
  function tellLeave(request: LeaveRequest): void {
    try {
      onLeave(request);
    } catch (error) {
      setTimeout(() => {
        throw error;
      });
    }
  }

  /**
   * Ends the connection below Socket.IO. Socket.IO's own goodbye would tell the server that this is
   * intended, and the server would skip what came in the same moment: it handles events a little later, and
   * none of a closed socket. Where nothing is open yet, nothing is sent.
   */
  function end(): void {
    attempts.end();
    socket.io.reconnection(false);
    if (socket.connected) socket.io.engine.close();
    else socket.disconnect();
  }

  return {
    connect: (onNews) => {
      tell = onNews;
      listen(onNews);
      connect();
    },
    ask,
    leave: () => {
      hasLeft = true;
      clearTimeout(retry);
      socket.removeAllListeners();
      // Leaving is said explicitly: a connection that merely closes may have been lost.
      if (socket.connected) socket.emit('leave', () => undefined);
      end();
      if (holder !== null) tellLeave(holder);
    },
    drop: () => {
      hasLeft = true;
      clearTimeout(retry);
      socket.removeAllListeners();
      end();
    },
  };
}

/** Without the credentials that it does not have. */
function defined({ urls, username, credential }: IceServers[number]): RTCIceServer {
  return username === undefined || credential === undefined
    ? { urls }
    : { urls, username, credential };
}
