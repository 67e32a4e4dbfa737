/** Why the winner won, in a sentence. */
import { describe, expect, test } from 'vitest';
import type { PeerTrace, TracedMessage } from '../../shared/protocol/watch.ts';
import { nameOf } from '../../shared/narration/names.ts';
import { electionOf } from '../../web/watch/election.ts';
import { Recording } from '../../web/watch/recording.ts';
import { standingOf, whyOf, winnerOf } from '../../web/watch/why.ts';
import { defined, peerId } from '../support.ts';
import { announcement, claim, traceOf, sent, threeTraces } from './traces.ts';

function record(traces: PeerTrace[], order = [1, 2, 3]) {
  const recording = new Recording();
  recording.setOrder(order.map(peerId));
  recording.add({ traces, missed: 0 });
  return electionOf(defined(recording.election()));
}

/** The messages of peers 1 and 2, of any origin. */
function recordOf(messages: TracedMessage[], order = [1, 2, 3]) {
  return record(
    [1, 2].map((peer) =>
      traceOf(
        peer,
        messages.map((message, at) => sent(at, peer + 1, message)),
      ),
    ),
    order,
  );
}

describe('the winner', () => {
  test('has the highest uuid, next to which is another', () => {
    const election = record(threeTraces());
    expect(winnerOf(election)).toBe(peerId(3));
    const why = whyOf(election, 'highest');
    expect(why).toMatch(/^The highest uuid leads: /);
    // As many digits as tell the two apart.
    expect(why).toContain(`${peerId(3)} > ${peerId(2)} (${nameOf(peerId(2))})`);
  });

  test('is nobody before there is an announcement', () => {
    const election = recordOf([claim(1, 1)]);
    expect(winnerOf(election)).toBe(null);
    expect(whyOf(election, 'highest')).toBe('');
  });

  test('led before, where the room prefers that', () => {
    const election = recordOf([claim(3, 1), claim(1, 1, 1, 2), announcement(1, 1, 0, 1, 2)]);
    expect(whyOf(election, 'incumbent')).toMatch(/led before.*policy incumbent.*priority 2/);
  });

  test('is elected for its uuid in such a room too, the first time', () => {
    const election = recordOf([claim(2, 1), claim(3, 1), announcement(3, 1, 0, 1, 2)]);
    expect(whyOf(election, 'incumbent')).toMatch(/highest uuid.*keeps it from now on/);
  });

  test('was given the highest priority', () => {
    const election = recordOf([claim(3, 1), claim(1, 1, 1, 5), announcement(1, 1, 0, 1, 5)]);
    expect(whyOf(election, 'highest')).toMatch(/highest priority, 5/);
  });

  test('is not the peer of the highest uuid, where that never leads', () => {
    const election = recordOf([claim(2, 1), announcement(2, 1)]);
    expect(whyOf(election, 'highest')).toMatch(/of those that may lead/);
  });

  test('is alone', () => {
    const messages = [sent(1, 1, claim(1, 1)), sent(2, 1, announcement(1, 1))];
    expect(whyOf(record([traceOf(1, messages)], [1]), 'highest')).toMatch(/alone/);
  });
});

test('of a leader that was elected unseen no more is said than can be seen', () => {
  const three = [1, 2, 3].map(peerId);
  expect(standingOf(peerId(3), three)).toMatch(/highest uuid/);
  expect(standingOf(peerId(2), three)).toBe('');
  expect(standingOf(peerId(1), [peerId(1)])).toMatch(/alone/);
});
