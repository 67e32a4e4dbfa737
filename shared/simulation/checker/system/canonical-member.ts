/**
 * A member without what the checker leaves out, so that members that cannot be told apart are equal. Clock
 * values go: a due time is armed or not, and it is the checker that lets its time come. Limits are full, so
 * that they never bind. What is only measured or told, and decides nothing here, is as at the beginning. It is
 * a copy, too: nothing that `handle` changes in place is shared with the original.
 */
import { initialAdmission } from '../../../member/admission.ts';
import { initialCensus } from '../../../member/census.ts';
import { initialConnections } from '../../../member/make-link.ts';
import { ANSWERS, FRAMES } from '../../../member/link.ts';
import { initialPatience } from '../../../member/leader-patience.ts';
import type {
  Alive,
  Due,
  Election,
  Link,
  Member,
  Offer,
  Offers,
  Probe,
  Stage,
} from '../../../member/state.ts';
import { initialHopDelay } from '../../../member/hop-delay.ts';
import { initialTermGate } from '../../../member/admission.ts';
import { fullBucket } from '../../../machine/token-bucket.ts';
import type { PeerId } from '../../../protocol/ids.ts';

/** When every input is handled. */
export const NOW = 1_000_000;

/** When what is armed would be due, if the checker did not choose. */
export const LATER = 2 * NOW;

/** When a link that was lost is made anew, rather than one that does not come up. */
export const SOON = NOW + 500;

/** When a question for a sign of life was asked, if it is open; and what was heard before and after. */
const ASKED = NOW - 1_000;
const HEARD_BEFORE = ASKED - 1_000;
const HEARD_SINCE = ASKED + 500;

/** A wait that began now, and one that has lasted long enough. */
const FRESH = NOW;
export const OVERDUE = NOW - 1;

/** Time-outs that the checker does not let come: see SPEC.md, "How it is checked". */
const NEVER: readonly Due['name'][] = ['heartbeat', 'lookup', 'relayed'];

/** The links that a member has said goodbye on, and not closed yet. */
export function closingLinks({ dues }: Member): readonly Link[] {
  return dues.flatMap((due) => (due.name === 'close' ? [due.link] : []));
}

export function canonicalMember(member: Member): Member {
  const dues = member.dues.filter(({ name }) => !NEVER.includes(name)).map(canonicalDue);
  const probes = dues.flatMap((due) => (due.name === 'probe' ? [due.probe] : []));
  const link = (each: Link) => canonicalLink(each, probes);
  const { membership, predecessor, neighbours } = member;
  return {
    ...member,
    device: canonicalDevice(member),
    membership:
      membership.name === 'joining'
        ? { ...membership, offers: canonicalOffers(membership.offers) }
        : membership,
    place: canonicalPlace(member.place),
    successor: canonicalSuccessor(member.successor, link),
    predecessor: { ...predecessor, links: predecessor.links.map(link) },
    shares: [],
    election: canonicalElection(member.election),
    hopDelay: { ...member.hopDelay, bucket: initialHopDelay(NOW).bucket },
    neighbours: {
      broken: [...neighbours.broken].sort(),
      complaints: neighbours.complaints.map(({ peer }) => ({ peer, at: NOW })),
    },
    lookups: {
      doubts: member.lookups.doubts.map(({ peer }) => ({ peer, at: NOW })),
      confirmed: null,
    },
    admission: initialAdmission(NOW),
    droppedFrames: 0,
    dues: dues.sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1)),
  };
}

function canonicalOffers({ successor, predecessor }: Offers): Offers {
  const made = (offer: Offer | null) =>
    offer && { ...offer, madeAt: NOW, signals: [...offer.signals] };
  return { successor: made(successor), predecessor: made(predecessor) };
}

function canonicalDevice({ config, device: { joinedAt } }: Member): Member['device'] {
  return {
    connections: initialConnections(config, NOW),
    wasSpent: false,
    lastAttempt: 'none',
    drawn: 0,
    joinedAt: joinedAt === null ? null : NOW,
    returns: 0,
    delays: 0,
    mayRelay: true,
  };
}

function canonicalSuccessor(
  { target, outlet, attempts, failures, isReadyTold }: Member['successor'],
  link: (each: Link) => Link,
): Member['successor'] {
  return {
    target,
    outlet: outlet === 'none' || outlet === 'loopback' ? outlet : link(outlet),
    attempts: attempts.map(link),
    // Whether one has failed: the next comes later than what is on its way then.
    failures: { direct: Math.min(failures.direct, 1), relayed: 0 },
    shortLived: 0,
    reachedAt: 0,
    isReadyTold,
  };
}

/** The order of what is armed does not matter, as the checker takes any of it. */
function textOf(due: Due): string {
  return JSON.stringify(due);
}

function canonicalDue(due: Due): Due {
  switch (due.name) {
    case 'probe':
      return { ...due, at: LATER, probe: { ...due.probe, askedAt: ASKED } };
    case 'direct':
      return { ...due, at: due.at <= SOON ? SOON : LATER };
    case 'close':
      return { ...due, at: LATER, link: canonicalLink(due.link, []) };
    default:
      return { ...due, at: LATER };
  }
}

/** The links that a view names are used when it comes, and not looked at any more. */
function canonicalPlace({ view, era, settlingUntil }: Member['place']): Member['place'] {
  const { successor, predecessor } = view ?? {};
  return {
    view:
      view === null || successor === undefined || predecessor === undefined
        ? null
        : {
            ...view,
            successor: { ...successor, link: null },
            predecessor: { ...predecessor, link: null },
            removed: [],
          },
    era,
    settlingUntil: settlingUntil !== null && settlingUntil > NOW ? LATER : null,
  };
}

function canonicalLink(link: Link, probes: readonly Probe[]): Link {
  const isAsked = probes.some(({ links }) => links.includes(link.id));
  const counts = { signals: 0, faults: 0, bytesSent: 0, bytesReceived: 0 };
  return { ...link, ...counts, madeAt: NOW, stage: canonicalStage(link.stage, isAsked) };
}

function canonicalStage(stage: Stage, isAsked: boolean): Stage {
  switch (stage.name) {
    case 'open':
      return { name: 'open', ...canonicalAlive(stage, isAsked) };
    case 'greeted': {
      const { hello } = stage;
      const held = stage.held.map((each) => ({ ...each, extensions: [], due: NOW }));
      return {
        name: 'greeted',
        ...canonicalAlive(stage, isAsked),
        // Terms stay far below any limit, so that only this is looked at again.
        hello: { ...hello, term: 0, decision: null, removed: [] },
        held,
      };
    }
    default:
      return stage;
  }
}

/** Of silence it counts only whether something was heard since a sign of life was asked for. */
function canonicalAlive({ heardAt }: Alive, isAsked: boolean): Alive {
  return {
    heardAt: isAsked && heardAt > ASKED ? HEARD_SINCE : HEARD_BEFORE,
    roundTrips: [],
    measuredAt: NOW,
    beat: null,
    beats: 0,
    frames: fullBucket(FRAMES, NOW),
    answers: fullBucket(ANSWERS, NOW),
  };
}

function canonicalElection(election: Election): Election {
  const { state, gate, wait } = election;
  const fresh = initialTermGate(NOW);
  return {
    ...election,
    state: { ...state, removed: sorted(state.removed) },
    patience: initialPatience(),
    gate: { ...fresh, hasKnownLeader: gate.hasKnownLeader },
    census: initialCensus(),
    wait:
      wait === null
        ? null
        : {
            until: wait.until,
            since: wait.since === OVERDUE ? OVERDUE : FRESH,
            due: LATER,
            share: 0,
          },
    lease: null,
    isDoubted: false,
  };
}

/** The order of departures does not matter: far fewer happen than a peer remembers. */
function sorted(peers: readonly PeerId[]): readonly PeerId[] {
  return [...peers].sort();
}
