/** When the candidates of a link's two ends go to the server. */
import { describe, expect, test } from 'vitest';
import type { Edge, Signal } from '../../shared/protocol/signaling.ts';
import { defined, linkId, peerId } from '../support.ts';
import { helloOf, NEIGHBOURS, Ring, type TestLink } from './played-ring.ts';

const LINK = linkId(77);
const ANSWER: Signal = { type: 'answer', sdp: '' };

function candidate(port: number, kind: 'host' | 'srflx'): Signal {
  return {
    type: 'candidate',
    candidate: {
      candidate: `candidate:1 1 udp 1 192.0.2.1 ${port} typ ${kind} generation 0`,
      sdpMLineIndex: 0,
      sdpMid: '0',
    },
  };
}

const [FIRST, SECOND] = [candidate(1, 'host'), candidate(2, 'host')];
const REFLEXIVE = candidate(3, 'srflx');

/** What the member has asked the server to pass on since, message by message. */
function passedOn(ring: Ring): (readonly Signal[])[] {
  return ring.signals.splice(0).map(({ request }) => request.signals);
}

/** The member's end of a link that a neighbour offers. */
function offered(ring: Ring, edge: Edge = 'predecessor'): TestLink {
  const before = ring.links.length;
  const offer: Signal = { type: 'offer', sdp: '' };
  ring.signal({ from: NEIGHBOURS[edge], edge, link: LINK, signals: [offer] });
  const end = defined(ring.links[before]);
  ring.signals.length = 0;
  return end;
}

/** Its end of a link that it offers to a successor that has none. */
function offering(ring: Ring): TestLink {
  const before = ring.links.length;
  ring.view({ successor: { id: peerId(8), link: null } });
  return defined(ring.links[before]);
}

function give(end: TestLink, ...signals: readonly Signal[]): void {
  for (const signal of signals) end.handlers.onSignal(signal);
}

describe('of the end that answers', () => {
  test('the answer goes at once, and a host candidate not at all if the link opens', () => {
    const ring = new Ring(null);
    const end = offered(ring);
    give(end, ANSWER, FIRST, SECOND);
    expect(passedOn(ring)).toEqual([[ANSWER]]);
    ring.pass(399);
    end.give(helloOf(NEIGHBOURS.predecessor, LINK));
    ring.pass(5_000);
    expect(passedOn(ring)).toEqual([]);
  });

  test('host candidates go together after 0.4 s where the link is not open by then', () => {
    const ring = new Ring(null);
    const end = offered(ring);
    give(end, ANSWER, FIRST);
    ring.pass(10);
    give(end, SECOND);
    ring.pass(389);
    expect(passedOn(ring)).toEqual([[ANSWER]]);
    ring.pass(1);
    expect(passedOn(ring)).toEqual([[FIRST, SECOND]]);
    give(end, FIRST);
    ring.pass(399);
    expect(passedOn(ring)).toEqual([]);
    ring.pass(1);
    expect(passedOn(ring)).toEqual([[FIRST]]);
    ring.pass(3_000);
    expect(passedOn(ring)).toEqual([]);
  });

  test('those of links on its two edges go at different times', () => {
    const ring = new Ring(null);
    const ends = [offered(ring, 'successor'), offered(ring, 'predecessor')];
    for (const end of ends) give(end, FIRST);
    ring.pass(400);
    expect(passedOn(ring)).toHaveLength(1);
    ring.pass(199);
    expect(passedOn(ring)).toEqual([]);
    ring.pass(1);
    expect(passedOn(ring)).toEqual([[FIRST]]);
  });

  test('none goes once the link has failed', () => {
    const ring = new Ring(null);
    const end = offered(ring);
    give(end, ANSWER, FIRST);
    end.handlers.onClose('failed');
    ring.pass(3_000);
    expect(passedOn(ring)).toEqual([[ANSWER]]);
  });

  test('any other goes at once, and without them', () => {
    const ring = new Ring(null);
    const end = offered(ring);
    give(end, ANSWER, FIRST, REFLEXIVE);
    expect(passedOn(ring)).toEqual([[ANSWER], [REFLEXIVE]]);
    ring.pass(400);
    expect(passedOn(ring)).toEqual([[FIRST]]);
  });

  test('more than a message may hold go in two', () => {
    const ring = new Ring(null);
    const many = Array.from({ length: 65 }, (_, port) => candidate(port, 'host'));
    give(offered(ring), ANSWER, ...many);
    ring.pass(400);
    expect(passedOn(ring)).toEqual([[ANSWER], many.slice(0, 64), many.slice(64)]);
  });
});

test('of the end that offers each goes at once', () => {
  const ring = new Ring(null);
  const end = offering(ring);
  give(end, FIRST, REFLEXIVE);
  expect(passedOn(ring)).toMatchObject([[{ type: 'offer' }], [FIRST], [REFLEXIVE]]);
});
