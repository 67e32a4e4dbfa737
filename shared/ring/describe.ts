/**
 * Ring events in words: one sentence on what happened and one on why, and the line that a classic
 * Chang-Roberts program would print.
 */
import type { Judgement, Reason } from '../election/step.ts';
import type { PeerId } from '../protocol/ids.ts';
import type { ElectionMessage } from '../protocol/messages.ts';
import type { RingEvent } from './events.ts';

type EventKind =
  | 'sent'
  | 'received'
  | 'ignored'
  | 'leader'
  | 'election'
  | 'neighbour'
  | 'link'
  | 'server'
  | 'lap'
  | 'error';

export interface Description {
  readonly kind: EventKind;
  /** What happened, with short ids. */
  readonly what: string;
  /** Why, or what followed; empty where the event speaks for itself. */
  readonly why: string;
}

/** The first block of a uuid: enough to tell peers apart by eye. */
export function shortId(id: PeerId): string {
  return id.slice(0, 8);
}

/** Whether a message only says again, once a second, who the leader is. */
export function isLap(message: ElectionMessage): boolean {
  return message.type === 'elected' && message.decision.lap > 0;
}

/**
 * Puts an event into words.
 * @param event as a RingNode told it
 * @param self the peer that tells it
 */
export function describe(event: RingEvent, self: PeerId): Description {
  switch (event.type) {
    case 'joined':
      return { kind: 'server', what: `joined room ${event.room} as ${event.id}`, why: '' };
    case 'neighbours':
      return describeNeighbours(event, self);
    case 'link':
      return {
        kind: 'link',
        what: `${event.kind === 'relayed' ? 'relayed ' : ''}link to ${event.edge} ${shortId(event.peer)} ${event.state}`,
        why: event.reason,
      };
    case 'started':
      return {
        kind: 'election',
        what: `started an election in term ${event.term}`,
        why: CAUSES[event.because],
      };
    case 'sent':
      return {
        kind: isLap(event.message) ? 'lap' : 'sent',
        what: `sent ${messageText(event.message)} to ${name(event.to, self)}`,
        why: '',
      };
    case 'received':
      return describeReceived(event.message, event.judgement, event.from, self);
    case 'leader':
      return {
        kind: 'leader',
        what: `${event.isSelf ? 'this peer' : shortId(event.leader)} is the leader of term ${event.term}`,
        why: event.isSelf ? victory(event.size) : '',
      };
    case 'dropped':
      return {
        kind: 'error',
        what: `dropped a frame from ${event.from === null ? 'an unknown peer' : shortId(event.from)}`,
        why: `${event.reason}; ${event.count} dropped so far`,
      };
    case 'complained':
      return {
        kind: 'link',
        what: `told the server that ${shortId(event.about)} ${COMPLAINTS[event.fault]}`,
        why: 'the ring closes over it if the server finds it so',
      };
    case 'server':
      return { kind: 'server', what: `server ${event.state}`, why: event.reason };
    case 'refused':
      return { kind: 'error', what: 'the server refused this peer', why: event.message };
    case 'error':
      return { kind: 'error', what: event.message, why: '' };
    case 'left':
      return { kind: 'server', what: 'left the ring', why: '' };
  }
}

function describeNeighbours(
  { successor, predecessor, removed }: Extract<RingEvent, { type: 'neighbours' }>,
  self: PeerId,
): Description {
  const why = removed.length === 0 ? '' : `gone: ${removed.map(shortId).join(', ')}`;
  const what =
    successor === self
      ? 'alone in the ring'
      : `predecessor ${shortId(predecessor)}, successor ${shortId(successor)}`;
  return { kind: 'neighbour', what, why };
}

function victory(size: number): string {
  return size === 1 ? 'it is alone in its ring' : `its claim went round a ring of ${size}`;
}

function describeReceived(
  message: ElectionMessage,
  judgement: Judgement,
  from: PeerId,
  self: PeerId,
): Description {
  return {
    kind: receivedKind(message, judgement),
    what: `received ${messageText(message)} from ${name(from, self)}`,
    why: `${comparison(judgement)}${EXPLANATIONS[judgement.reason]}`,
  };
}

function receivedKind(message: ElectionMessage, { outcome }: Judgement): EventKind {
  if (isLap(message)) return 'lap';
  return outcome === 'ignored' ? 'ignored' : 'received';
}

function comparison({ compared }: Judgement): string {
  if (compared === null) return '';
  const sign = { greater: '>', less: '<', same: '=' }[compared.result];
  return `${sign} ${compared.to} ${shortId(compared.claim.id)}: `;
}

function messageText(message: ElectionMessage): string {
  switch (message.type) {
    case 'claim':
      return `claim ${shortId(message.claim.id)} of term ${message.term}`;
    case 'elected': {
      const { leader, lap } = message.decision;
      return lap === 0
        ? `announcement that ${shortId(leader.id)} leads term ${message.term}`
        : `lap ${lap}: ${shortId(leader.id)} still leads term ${message.term}`;
    }
  }
}

function name(id: PeerId, self: PeerId): string {
  return id === self ? 'itself' : shortId(id);
}

const CAUSES: Record<Extract<RingEvent, { type: 'started' }>['because'], string> = {
  start: 'asked for here',
  receive: 'because of a message',
  'new-successor': 'a new successor, and no leader to tell it of',
  hello: 'a neighbour says that the leader is gone',
  removed: 'the leader is gone',
  returned: 'a peer has returned',
  timeout: 'no word of a leader for too long',
};

const COMPLAINTS: Record<Extract<RingEvent, { type: 'complained' }>['fault'], string> = {
  silent: 'is silent',
  misbehaves: 'keeps to no rules',
};

const EXPLANATIONS: Record<Reason, string> = {
  'greater claim': 'greater, so forwarded',
  'smaller claim': 'smaller, so ignored',
  'same claim again': 'seen before, so ignored',
  'own claim came back': 'it went round the whole ring, so this peer is the leader',
  'own claim came back beaten': 'its own, but beaten by a greater one, so ignored',
  'never leads': 'this peer never leads, so it only relays',
  'not yet started': 'smaller, and this peer had not started in this term, so it sent its own',
  'old term': 'of an earlier term, so ignored',
  'term is decided': 'this term has its leader already, so ignored',
  announcement: 'news, so adopted and forwarded',
  'announcement known': 'known already, so ignored',
  'announcement came home': 'it went round the whole ring, so it stops here',
  'outranks the announced leader': 'this peer outranks it, so it starts a new term',
  'its origin is gone': 'its origin has left the ring, so not forwarded',
  'a second leader in one term': 'two leaders in one term, so it starts a new one',
};

/**
 * The line of a classic program's log, with whole uuids.
 * @param time of the event as it is to be written
 */
export function classicLine(event: RingEvent, self: PeerId, time: string): string {
  const { what, why } = describe(event, self);
  return `${time} ${classicText(event) ?? (why === '' ? what : `${what} (${why})`)}`;
}

function classicText(event: RingEvent): string | null {
  switch (event.type) {
    case 'sent':
      return `Sent: ${classicMessage(event.message)}`;
    case 'received': {
      const { outcome, compared, reason } = event.judgement;
      const verb = outcome === 'ignored' ? 'Ignored' : 'Received';
      const result =
        compared === null ? '' : `, ${compared.result}, compared to ${compared.claim.id}`;
      return `${verb}: ${classicMessage(event.message)}${result} (${EXPLANATIONS[reason]})`;
    }
    case 'joined':
      return `This peer is ${event.id}, room ${event.room}`;
    case 'leader':
      return `leader is ${event.leader}, term=${event.term}`;
    case 'link':
      if (event.state !== 'open') return null;
      return `${event.edge === 'successor' ? 'Connected to' : 'Accepted'} ${event.peer}`;
    default:
      return null;
  }
}

function classicMessage(message: ElectionMessage): string {
  const flag = message.type === 'claim' ? 0 : 1;
  const id = message.type === 'claim' ? message.claim.id : message.decision.leader.id;
  return `uuid=${id}, flag=${flag}, term=${message.term}`;
}
