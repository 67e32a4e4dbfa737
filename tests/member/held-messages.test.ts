import { describe, expect, test } from 'vitest';
import { initialMember } from '../../shared/member/initial.ts';
import { retire, sendAfter, takeBack } from '../../shared/member/link.ts';
import { handle } from '../../shared/member/member.ts';
import type { Link } from '../../shared/member/state.ts';
import { fullBucket } from '../../shared/machine/token-bucket.ts';
import { firstTime } from '../../shared/machine/due-times.ts';
import type { Output, Turn } from '../../shared/member/turn.ts';
import type { ElectionMessage } from '../../shared/protocol/messages.ts';
import { linkId, peerId, roomName } from '../support.ts';
import { helloOf } from './played-ring.ts';

const claim = (number: number): ElectionMessage => ({
  type: 'claim',
  term: 1,
  claim: { priority: 1, id: peerId(number) },
  hops: 1,
});

/** The link to the successor, on which it has said HELLO. */
function greetedLink(): Link {
  const bucket = () => fullBucket({ burst: 1, perSecond: 0 }, 0);
  return {
    ...{ id: linkId(1), edge: 'successor', kind: 'direct', peer: peerId(7) },
    ...{ isInitiator: true, madeAt: 0, signals: 0, faults: 0, bytesSent: 0, bytesReceived: 0 },
    stage: {
      ...{ name: 'greeted', hello: helloOf(peerId(7), linkId(1)), held: [] },
      ...{ heardAt: 0, roundTrips: [], measuredAt: 0, beat: null, beats: 0 },
      ...{ frames: bucket(), answers: bucket() },
    },
  };
}

function stage() {
  const config = {
    room: roomName('lobby'),
    priority: 1,
    policy: 'highest',
    key: null,
    connections: 9,
  } as const;
  const member = initialMember(config, { id: peerId(5), secret: 'a secret' }, 0);
  const link = greetedLink();
  member.successor.outlet = link;
  const sent: string[] = [];
  let now = 0;
  const note = (outputs: readonly Output[]) => {
    for (const output of outputs) {
      if (output.do !== 'tell' || output.event.type !== 'sent') continue;
      const { message } = output.event;
      sent.push(`${message.type === 'claim' ? Number(message.claim.id.slice(-4)) : '?'} at ${now}`);
    }
  };
  /** Something happens now. */
  const act = <Result>(what: (turn: Turn) => Result): Result => {
    const turn: Turn = { member, now, date: now, random: () => 0, outputs: [] };
    const result = what(turn);
    note(turn.outputs);
    return result;
  };
  /** Holds a message. Returns for how long, as it is told. */
  const add = (number: number, milliseconds: number) =>
    act((turn) => {
      sendAfter(turn, link, { message: claim(number), extensions: [] }, milliseconds);
      const told = turn.outputs.flatMap((output) => (output.do === 'tell' ? [output.event] : []));
      return told.find(({ type }) => type === 'holding') ?? null;
    });
  const run = (until: number) => {
    for (let at = firstTime(member); at !== null && at <= until; at = firstTime(member)) {
      now = at;
      note(handle(member, { type: 'time' }, { now, date: now }, () => 0));
    }
    now = until;
  };
  return { link, sent, act, add, run };
}

describe('C5: what a link holds', () => {
  test('is sent in order: nothing overtakes it, whatever its own delay (C5a)', () => {
    const { sent, add, run } = stage();
    expect(add(1, 2_000)).toMatchObject({ milliseconds: 2_000 });
    run(500);
    expect(add(2, 0)).toMatchObject({ milliseconds: 1_500 });
    expect(add(3, 100)).toMatchObject({ milliseconds: 1_500 });
    run(5_000);
    expect(sent).toEqual(['1 at 2000', '2 at 2000', '3 at 2000']);
    expect(add(4, 0)).toBeNull();
    expect(sent.at(-1)).toBe('4 at 5000');
  });

  test('is sent at once and in order when the link is given up for another (C5b)', () => {
    const { link, sent, act, add, run } = stage();
    add(1, 2_000);
    add(2, 2_000);
    run(300);
    act((turn) => {
      retire(turn, link, 'relinked');
    });
    run(9_000);
    expect(sent).toEqual(['1 at 300', '2 at 300']);
  });

  test('can be taken back, and what is left keeps its time (C5d)', () => {
    const { link, sent, act, add, run } = stage();
    add(1, 1_000);
    add(2, 2_000);
    const isOfFirst = (message: ElectionMessage) =>
      message.type === 'claim' && message.claim.id === peerId(1);
    expect(act((turn) => takeBack(turn, link, isOfFirst))).toEqual([claim(1)]);
    run(9_000);
    expect(sent).toEqual(['2 at 2000']);
    add(3, 1_000);
    expect(act((turn) => takeBack(turn, link, () => true))).toEqual([claim(3)]);
    run(20_000);
    expect(sent).toHaveLength(1);
  });
});
