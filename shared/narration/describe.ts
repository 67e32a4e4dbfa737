/**
 * Ring events in words, in the first person: one sentence on what happened and one on why. WORDS has those
 * of each event, EXPLANATIONS what is said of a message that was received.
 */
import type { Judgement, Reason } from '../election/step.ts';
import type { PeerId } from '../protocol/ids.ts';
import { isLap, type Claim, type ElectionMessage } from '../protocol/messages.ts';
import type { RingEvent } from '../member/events.ts';
import { shortId } from './names.ts';
import { printable } from './printable.ts';

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

type EventType = RingEvent['type'];
type EventOf<Type extends EventType> = Extract<RingEvent, { type: Type }>;

/**
 * Puts an event into words.
 * @param self the peer that speaks
 * @param call what to call a peer; by default the first block of its uuid
 */
export function describe(
  event: RingEvent,
  self: PeerId,
  call: Speaker['call'] = shortId,
): Description {
  return wordsFor(event.type, event, { self, call });
}

function wordsFor<Type extends EventType>(type: Type, event: EventOf<Type>, speaker: Speaker) {
  return WORDS[type](event, speaker);
}

const WORDS: {
  readonly [Type in EventType]: (event: EventOf<Type>, speaker: Speaker) => Description;
} = {
  joined: ({ id, room }) => say('server', `joined room ${room} as ${id}`),
  neighbours: ({ successor, predecessor, removed }, { self, call }) => {
    const gone = removed.length === 0 ? '' : `gone: ${removed.map(call).join(', ')}`;
    if (successor === self) return say('neighbour', 'I am alone in the ring', gone);
    const both = `my predecessor is ${call(predecessor)}, my successor ${call(successor)}`;
    return say('neighbour', both, gone);
  },
  link: ({ edge, kind, peer, state, reason }, { call }) => {
    const link = kind === 'relayed' ? 'relayed link' : 'link';
    return say('link', `${link} to my ${edge} ${call(peer)} ${state}`, reason);
  },
  started: ({ term, because }) =>
    say('election', `started an election in term ${term}`, CAUSES[because]),
  sent: ({ message, to }, speaker) => {
    const kind = isLap(message) ? 'lap' : 'sent';
    return say(kind, `sent ${messageText(message, speaker)} to ${name(to, speaker)}`);
  },
  received: ({ message, from, judgement }, speaker) =>
    say(
      isLap(message) ? 'lap' : judgement.outcome === 'ignored' ? 'ignored' : 'received',
      `received ${messageText(message, speaker)} from ${name(from, speaker)}`,
      reasoning(judgement, speaker),
    ),
  leader: ({ leader, term, size, isSelf }, { call }) => {
    if (!isSelf) return say('leader', `${call(leader)} is the leader of term ${term}`);
    const why = size === 1 ? 'I am alone in the ring' : `my claim went round a ring of ${size}`;
    return say('leader', `I am the leader of term ${term}`, why);
  },
  confirmation: ({ leader, isConfirmed }, { self, call }) => {
    const who = leader === self ? 'I am' : `${call(leader)} is`;
    if (isConfirmed) return say('leader', `${who} confirmed as the leader again`);
    const why = leader === self ? WHY['no lap back'] : WHY['no lap here'];
    return say('leader', `${who} not confirmed as the leader any more`, why);
  },
  era: ({ era }) => say('server', `the room is in era ${era}`, WHY.era),
  holding: ({ message, milliseconds }, speaker) =>
    say('pace', `held ${messageText(message, speaker)} for ${milliseconds} ms`, WHY.holding),
  unsent: ({ message, reason }, speaker) =>
    say('pace', `did not send ${messageText(message, speaker)}, which I held`, UNSENT[reason]),
  pace: ({ hopDelay, by }, { self, call }) => {
    const setter = by === self ? 'me' : call(by);
    return say('pace', `hop delay of the room is ${hopDelay} ms`, `set by ${setter}`);
  },
  ring: () => say('lap', 'the ring has been counted anew'),
  dropped: ({ from, reason, count }, { call }) =>
    say('error', `dropped a frame from ${call(from)}`, `${reason}; ${count} dropped so far`),
  spent: () => say('link', 'made no direct link', WHY.spent),
  complained: ({ about, fault }, { call }) =>
    say('link', `complained to the server: ${call(about)} ${FAULTS[fault]}`, REMEDIES[fault]),
  returned: ({ peer }, { call }) =>
    say('server', `${call(peer)} is a member of the ring`, WHY.returned),
  server: ({ state, reason }) => say('server', `server ${state}`, reason),
  refused: ({ code, message }) =>
    say('error', `the server ${code === 'try-again' ? 'puts me off' : 'refused me'}`, message),
  error: ({ message }) => say('error', message),
  left: () => say('server', 'left the ring'),
  vanished: () => say('server', 'vanished from the ring', WHY.vanished),
};

function say(kind: EventKind, what: string, why = ''): Description {
  return { kind, what: printable(what), why: printable(why) };
}

function messageText(message: ElectionMessage, { self, call }: Speaker): string {
  const { type, term } = message;
  if (type === 'claim') {
    const whose = message.claim.id === self ? 'my claim' : 'claim';
    return `${whose} ${claimant(message.claim, call)} of term ${term}`;
  }
  const { leader, lap } = message.decision;
  return lap === 0
    ? `announcement that ${claimant(leader, call)} leads term ${term}`
    : `lap ${lap}: ${claimant(leader, call)} still leads term ${term}`;
}

/** The priority of peers that were given none. */
export const ORDINARY = 1;

/** The peer of a claim, with its priority where that is not the ordinary one. */
export function claimant({ id, priority }: Claim, call: Speaker['call'] = shortId): string {
  return priority === ORDINARY ? call(id) : `${call(id)} (priority ${priority})`;
}

function name(id: PeerId, { self, call }: Speaker): string {
  return id === self ? 'myself' : call(id);
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

/** Why a message had its outcome. Two of the reasons can end in two ways. */
export function explanation({ reason, outcome }: Judgement): string {
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

const CAUSES: Record<EventOf<'started'>['because'], string> = {
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

const UNSENT: Record<EventOf<'unsent'>['reason'], string> = {
  'its origin is gone': 'its origin has left the ring meanwhile',
  'the link is lost': 'the link that it was for is lost',
};

const FAULTS: Record<EventOf<'complained'>['fault'], string> = {
  silent: 'is silent',
  unlinked: 'cannot be linked with',
  misbehaves: 'violates the protocol',
};

/** What comes of a complaint. */
const REMEDIES: Record<EventOf<'complained'>['fault'], string> = {
  silent: 'the ring closes over it if nobody else can reach it, either',
  unlinked: 'the ring closes over it if nobody can reach it for a while',
  misbehaves: 'the ring closes over it, or over a peer that says so too often',
};

/** What is said of other events. */
const WHY = {
  era: 'era and term together tell a late old leader from the present one',
  holding: 'the hop delay of the room',
  'no lap back': 'my lap has not come back in time: the ring may have another leader by now',
  'no lap here':
    'no lap has come in time, and I have no way to my successor: the ring may have another leader by now',
  returned: 'I had presumed it departed, but the server has its place',
  spent: 'this page has made as many as it may for now; another is tried later',
  vanished: 'without a goodbye: neighbours and server have to find out by themselves',
};
