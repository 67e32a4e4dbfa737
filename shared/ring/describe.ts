/**
 * Ring events in words: one sentence on what happened and one on why, and the line that a classic
 * Chang-Roberts program would print.
 */
import type { Judgement, Reason } from '../election/step.ts';
import type { PeerId } from '../protocol/ids.ts';
import type { Claim, ElectionMessage } from '../protocol/messages.ts';
import type { Cause, RingEvent } from './events.ts';

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
  | 'pace'
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

/** The peer of a claim, with its priority where that is not the ordinary one. */
export function claimant({ id, priority }: Claim): string {
  return priority === ORDINARY ? shortId(id) : `${shortId(id)} (priority ${priority})`;
}

/** The priority of peers that were given none. */
const ORDINARY = 1;

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
        what: `told the server that ${shortId(event.about)} ${COMPLAINTS[event.fault].what}`,
        why: COMPLAINTS[event.fault].why,
      };
    case 'server':
      return { kind: 'server', what: `server ${event.state}`, why: event.reason };
    case 'refused':
      return { kind: 'error', what: 'the server refused this peer', why: event.message };
    case 'error':
      return { kind: 'error', what: event.message, why: '' };
    case 'left':
      return { kind: 'server', what: 'left the ring', why: '' };
    case 'vanished':
      return {
        kind: 'server',
        what: 'vanished from the ring',
        why: 'without a goodbye: neighbours and server have to find out by themselves',
      };
    case 'holding':
      return {
        kind: 'pace',
        what: `holds ${messageText(event.message)} for ${event.milliseconds} ms`,
        why: 'the hop delay of the room',
      };
    case 'pace':
      return {
        kind: 'pace',
        what: `hop delay of the room is ${event.hopDelay} ms`,
        why: `set by ${name(event.by, self)}`,
      };
    case 'ring':
      return { kind: 'lap', what: 'the ring has been counted anew', why: '' };
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
    why: `${comparison(judgement)}${explanation(judgement)}`,
  };
}

function receivedKind(message: ElectionMessage, { outcome }: Judgement): EventKind {
  if (isLap(message)) return 'lap';
  return outcome === 'ignored' ? 'ignored' : 'received';
}

function comparison({ compared }: Judgement): string {
  if (compared === null) return '';
  const sign = { greater: '>', less: '<', same: '=' }[compared.result];
  return `${sign} ${compared.to} ${claimant(compared.claim)}: `;
}

function messageText(message: ElectionMessage): string {
  switch (message.type) {
    case 'claim':
      return `claim ${claimant(message.claim)} of term ${message.term}`;
    case 'elected': {
      const { leader, lap } = message.decision;
      return lap === 0
        ? `announcement that ${claimant(leader)} leads term ${message.term}`
        : `lap ${lap}: ${claimant(leader)} still leads term ${message.term}`;
    }
  }
}

function name(id: PeerId, self: PeerId): string {
  return id === self ? 'itself' : shortId(id);
}

const CAUSES: Record<Cause, string> = {
  start: 'asked for here',
  receive: 'because of that message',
  'no such leader': 'the server knows of no such leader',
  'new-successor':
    'a new way to its successor, and no living leader greater than itself to tell it of',
  hello: 'HELLO came, and the peer that it followed or deferred to is gone',
  removed: 'the candidate that it deferred to is gone',
  returned: 'a peer has returned',
  timeout: 'no word of a leader for too long',
};

const COMPLAINTS: Record<
  Extract<RingEvent, { type: 'complained' }>['fault'],
  Pick<Description, 'what' | 'why'>
> = {
  silent: {
    what: 'is silent',
    why: 'the ring closes over it if the server cannot reach it either',
  },
  unlinked: {
    what: 'cannot be linked with',
    why: 'the ring closes over it if the server cannot reach it for a while, either',
  },
  misbehaves: {
    what: 'keeps to no rules',
    why: 'the ring closes over it, or over a peer that says so too often',
  },
};

/** Why it fared as it did. Two of the reasons can end in two ways. */
function explanation({ reason, outcome }: Judgement): string {
  if (reason === 'its origin is gone' && outcome === 'answered')
    return 'its origin has left the ring, so this peer starts a new term instead of forwarding it';
  if (reason === 'never leads' && outcome === 'ignored')
    return 'its own, but this peer never leads, so ignored';
  return EXPLANATIONS[reason];
}

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
  'its origin is gone': 'its origin has left the ring, so ignored',
  'a second leader in one term': 'not the leader that this peer knows of, so it starts a new term',
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
      const { outcome, compared } = event.judgement;
      const verb = outcome === 'ignored' ? 'Ignored' : 'Received';
      const result =
        compared === null ? '' : `, ${compared.result}, compared to ${compared.claim.id}`;
      return `${verb}: ${classicMessage(event.message)}${result} (${explanation(event.judgement)})`;
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
  const { id, priority } = message.type === 'claim' ? message.claim : message.decision.leader;
  const rank = priority === ORDINARY ? '' : `, priority=${priority}`;
  return `uuid=${id}, flag=${flag}, term=${message.term}${rank}`;
}
