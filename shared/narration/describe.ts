/**
 * Ring events in words, in the first person: one sentence on what happened and one on why, and the line
 * that a classic Chang-Roberts program would print.
 */
import type { Judgement, Reason } from '../election/step.ts';
import type { PeerId } from '../protocol/ids.ts';
import { isLap, type Claim, type ElectionMessage } from '../protocol/messages.ts';
import type { Cause, RingEvent } from '../member/events.ts';
import { shortId } from './names.ts';

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

/** The peer that speaks, and what it calls peers. */
interface Speaker {
  readonly self: PeerId;
  readonly call: (id: PeerId) => string;
}

/** The peer of a claim, with its priority where that is not the ordinary one. */
export function claimant({ id, priority }: Claim, call: Speaker['call'] = shortId): string {
  return priority === ORDINARY ? call(id) : `${call(id)} (priority ${priority})`;
}

/** The priority of peers that were given none. */
const ORDINARY = 1;

/**
 * Puts an event into words.
 * @param event of a RingNode
 * @param self the peer that speaks
 * @param call what to call a peer; by default the first block of its uuid
 */
export function describe(
  event: RingEvent,
  self: PeerId,
  call: Speaker['call'] = shortId,
): Description {
  const speaker = { self, call };
  switch (event.type) {
    case 'joined':
      return { kind: 'server', what: `joined room ${event.room} as ${event.id}`, why: '' };
    case 'neighbours':
      return describeNeighbours(event, speaker);
    case 'link':
      return {
        kind: 'link',
        what: `${event.kind === 'relayed' ? 'relayed ' : ''}link to my ${event.edge} ${call(event.peer)} ${event.state}`,
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
        what: `sent ${messageText(event.message, speaker)} to ${name(event.to, speaker)}`,
        why: '',
      };
    case 'received':
      return describeReceived(event.message, event.judgement, event.from, speaker);
    case 'leader':
      return {
        kind: 'leader',
        what: `${event.isSelf ? 'I am' : `${call(event.leader)} is`} the leader of term ${event.term}`,
        why: event.isSelf ? victory(event.size) : '',
      };
    case 'dropped':
      return {
        kind: 'error',
        what: `dropped a frame from ${call(event.from)}`,
        why: `${event.reason}; ${event.count} dropped so far`,
      };
    case 'complained':
      return {
        kind: 'link',
        what: `complained to the server: ${call(event.about)} ${COMPLAINTS[event.fault].what}`,
        why: COMPLAINTS[event.fault].why,
      };
    case 'returned':
      return {
        kind: 'server',
        what: `${call(event.peer)} is a member of the ring`,
        why: 'I had presumed it departed, but the server has its place',
      };
    case 'spent':
      return {
        kind: 'link',
        what: 'made no direct link',
        why: 'this page has made as many as it may for now; another is tried later',
      };
    case 'server':
      return { kind: 'server', what: `server ${event.state}`, why: event.reason };
    case 'refused':
      return { kind: 'error', what: 'the server refused me', why: event.message };
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
        what: `held ${messageText(event.message, speaker)} for ${event.milliseconds} ms`,
        why: 'the hop delay of the room',
      };
    case 'confirmation':
      return describeConfirmation(event, speaker);
    case 'era':
      return {
        kind: 'server',
        what: `the room is in era ${event.era}`,
        why: 'era and term together tell a late old leader from the present one',
      };
    case 'unsent':
      return {
        kind: 'pace',
        what: `did not send ${messageText(event.message, speaker)}, which I held`,
        why: UNSENT[event.reason],
      };
    case 'pace':
      return {
        kind: 'pace',
        what: `hop delay of the room is ${event.hopDelay} ms`,
        why: `set by ${event.by === self ? 'me' : call(event.by)}`,
      };
    case 'ring':
      return { kind: 'lap', what: 'the ring has been counted anew', why: '' };
  }
}

function describeNeighbours(
  { successor, predecessor, removed }: Extract<RingEvent, { type: 'neighbours' }>,
  { self, call }: Speaker,
): Description {
  const why = removed.length === 0 ? '' : `gone: ${removed.map(call).join(', ')}`;
  const what =
    successor === self
      ? 'I am alone in the ring'
      : `my predecessor is ${call(predecessor)}, my successor ${call(successor)}`;
  return { kind: 'neighbour', what, why };
}

function describeConfirmation(
  { leader, isConfirmed }: Extract<RingEvent, { type: 'confirmation' }>,
  { self, call }: Speaker,
): Description {
  const who = leader === self ? 'I am' : `${call(leader)} is`;
  if (isConfirmed) return { kind: 'leader', what: `${who} confirmed as the leader again`, why: '' };
  const missing =
    leader === self
      ? 'my lap has not come back in time'
      : 'no lap has come in time, and I have no way to my successor';
  const why = `${missing}: the ring may have another leader by now`;
  return { kind: 'leader', what: `${who} not confirmed as the leader any more`, why };
}

function victory(size: number): string {
  return size === 1 ? 'I am alone in the ring' : `my claim went round a ring of ${size}`;
}

function describeReceived(
  message: ElectionMessage,
  judgement: Judgement,
  from: PeerId,
  speaker: Speaker,
): Description {
  return {
    kind: receivedKind(message, judgement),
    what: `received ${messageText(message, speaker)} from ${name(from, speaker)}`,
    why: reasoning(judgement, speaker),
  };
}

function receivedKind(message: ElectionMessage, { outcome }: Judgement): EventKind {
  if (isLap(message)) return 'lap';
  return outcome === 'ignored' ? 'ignored' : 'received';
}

/** As "> mine 386d…, so I forwarded it". */
function reasoning(judgement: Judgement, { call }: Speaker): string {
  const { compared } = judgement;
  const text = explanation(judgement);
  if (compared === null) return text;
  const sign = { greater: '>', less: '<', same: '=' }[compared.result];
  const other = { 'own claim': 'mine', 'greatest claim seen': 'the greatest seen' }[compared.to];
  const joint = /^(?:so|and|but) /.test(text) ? ',' : ':';
  return `${sign} ${other} ${claimant(compared.claim, call)}${joint} ${text}`;
}

function messageText(message: ElectionMessage, { self, call }: Speaker): string {
  switch (message.type) {
    case 'claim': {
      const whose = message.claim.id === self ? 'my claim' : 'claim';
      return `${whose} ${claimant(message.claim, call)} of term ${message.term}`;
    }
    case 'elected': {
      const { leader, lap } = message.decision;
      return lap === 0
        ? `announcement that ${claimant(leader, call)} leads term ${message.term}`
        : `lap ${lap}: ${claimant(leader, call)} still leads term ${message.term}`;
    }
  }
}

function name(id: PeerId, { self, call }: Speaker): string {
  return id === self ? 'myself' : call(id);
}

const CAUSES: Record<Cause, string> = {
  start: 'asked for here',
  receive: 'because of that message',
  'no such leader': 'the server knows of no such leader',
  'new-successor':
    'I have a new way to my successor, and no living leader greater than myself to tell it of',
  hello: 'HELLO came, and the peer that I followed or deferred to is gone',
  removed: 'the candidate that I deferred to is gone',
  'announcement taken back': 'the leader that I was to announce to my successor is gone',
  returned: 'a peer has returned',
  timeout: 'no word of a leader for too long',
};

const UNSENT: Record<Extract<RingEvent, { type: 'unsent' }>['reason'], string> = {
  'its origin is gone': 'its origin has left the ring meanwhile',
  'the link is lost': 'the link that it was for is lost',
};

const COMPLAINTS: Record<
  Extract<RingEvent, { type: 'complained' }>['fault'],
  Pick<Description, 'what' | 'why'>
> = {
  silent: {
    what: 'is silent',
    why: 'the ring closes over it if nobody else can reach it, either',
  },
  unlinked: {
    what: 'cannot be linked with',
    why: 'the ring closes over it if nobody can reach it for a while',
  },
  misbehaves: {
    what: 'violates the protocol',
    why: 'the ring closes over it, or over a peer that says so too often',
  },
};

/** Why a message had its outcome. Two of the reasons can end in two ways. */
function explanation({ reason, outcome }: Judgement): string {
  if (reason === 'its origin is gone' && outcome === 'answered')
    return 'its origin has left the ring, so I started a new term instead of forwarding it';
  if (reason === 'never leads' && outcome === 'ignored')
    return 'my own, but I never lead, so I ignored it';
  return EXPLANATIONS[reason];
}

const EXPLANATIONS: Record<Reason, string> = {
  'greater claim': 'so I forwarded it',
  'smaller claim': 'so I ignored it',
  'same claim again': 'seen before, so I ignored it',
  'own claim came back': 'it went round the whole ring, so I am the leader',
  'own claim came back beaten': 'my own, but beaten by a greater one, so I ignored it',
  'never leads': 'I never lead, so I only passed it on',
  'not yet started': 'and I had not started in this term, so I sent my own',
  'old term': 'of an earlier term, so I ignored it',
  'term is decided': 'this term has its leader already, so I ignored it',
  announcement: 'news, so I took note and forwarded it',
  'announcement known': 'known already, so I ignored it',
  'announcement came home': 'it went round the whole ring, so it stops here',
  'outranks the announced leader': 'I outrank it, so I started a new term',
  'its origin is gone': 'its origin has left the ring, so I ignored it',
  'a second leader in one term': 'not the leader that I know of, so I started a new term',
};

/**
 * The line of a classic program's log, with whole uuids.
 * @param time of the event in the form in which it is written
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
