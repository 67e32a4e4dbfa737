/** One peer of a ring lies, floods or keeps silent: what it can do to the others, and for how long. */
import { describe, expect, test, vi } from 'vitest';
import { MAX_TERM_LEAP } from '../../shared/member/admission.ts';
import { Dice } from '../../shared/simulation/fuzz/dice.ts';
import { anyFrame, anyMessage } from '../../shared/simulation/fuzz/frames.ts';
import { defined, linkId } from '../support.ts';
import { HostileRing, type HostileLink, type Hostility } from './hostile.ts';

// Much simulated time, and nothing in it waits: a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

const SEEDS = Array.from({ length: 6 }, (_, seed) => seed);

function termOf({ heard }: HostileLink): number {
  const last = heard.at(-1);
  return last === undefined || last.length < 6 ? 1 : new DataView(last.buffer).getUint32(2);
}

const KINDS: Record<string, (seed: number) => Hostility> = {
  'sends garbage': (seed) => {
    const dice = new Dice(seed);
    return {
      also: (links) => {
        for (const link of links) link.send(dice.bytes(dice.below(60)));
      },
    };
  },
  'mutates what it relays': (seed) => {
    const dice = new Dice(seed);
    return {
      instead: (frame, link) => {
        link.send(dice.mutated(frame));
      },
    };
  },
  'replays old frames': (seed) => {
    const dice = new Dice(seed);
    return {
      also: (links) => {
        for (const link of links)
          for (const other of links) if (other.heard.length > 0) link.send(dice.pick(other.heard));
      },
    };
  },
  'sends valid frames with any fields': (seed) => {
    const dice = new Dice(seed);
    return {
      also: (links, { ring }) => {
        const { id, successor, predecessor, term } = ring.state;
        const ids = [id, successor, predecessor].flatMap((each) => each ?? []);
        for (const link of links)
          link.send(
            anyFrame(dice, {
              ids,
              sender: id,
              term: term ?? 1,
              link: link.id ?? linkId(1),
              seen: link.heard,
            }),
          );
      },
    };
  },
  'says who is alive is gone': (seed) => {
    const dice = new Dice(seed);
    return {
      also: (links, { ring }) => {
        if (!dice.chance(0.1)) return;
        const { id, successor, predecessor, leader } = ring.state;
        const removed = [successor, predecessor, leader].flatMap((each) => each ?? []);
        for (const link of links)
          if (link.id !== null)
            link.say({
              type: 'hello',
              id,
              link: link.id,
              ready: true,
              term: 1,
              decision: null,
              removed,
            });
      },
    };
  },
  floods: () => ({
    also: (links) => {
      for (const link of links)
        for (let count = 0; count < 500; count += 1)
          link.say({ type: 'heartbeat', isReply: false, count });
    },
  }),
  'sends as many messages as it may, each to be passed on': () => {
    let lap = 1_000;
    return {
      also: (links, { ring }) => {
        const { id, term, leader } = ring.state;
        if (leader === null || term === null) return;
        const count = lap === 1_000 ? 3_900 : 95;
        for (const link of links.filter(({ leadsOn }) => leadsOn))
          for (let sent = 0; sent < count; sent += 1) {
            lap += 1;
            const hops = leader === id ? 1 : 3;
            const decision = { leader: { priority: 1, id: leader }, lap, size: 6, hops };
            link.say({ type: 'elected', term, decision });
          }
      },
    };
  },
  'never sends anything': () => ({ instead: () => undefined }),
  'announces leaders that never were': (seed) => {
    const dice = new Dice(seed);
    const leader = { priority: 255, id: dice.greatestId() };
    let lap = 0;
    return {
      also: (links, { ring }) => {
        lap += 1;
        const term = (ring.state.term ?? 0) + 1;
        for (const link of links)
          link.say({ type: 'elected', term, decision: { leader, lap, size: 0xffff, hops: 3 } });
      },
    };
  },
  'claims for those who are not there': (seed) => {
    const dice = new Dice(seed);
    return {
      also: (links, { ring }) => {
        const term = (ring.state.term ?? 0) + 1;
        for (const link of links)
          if (dice.chance(0.2))
            link.say({
              type: 'claim',
              term,
              claim: { priority: 255, id: dice.greatestId() },
              hops: 2 + dice.below(9),
            });
      },
    };
  },
  'claims ids that are its neighbours’': () => ({
    also: (links, { ring }) => {
      const { successor, predecessor, term } = ring.state;
      for (const link of links)
        for (const id of [successor, predecessor])
          if (id !== null) {
            link.say({
              type: 'claim',
              term: (term ?? 0) + 1,
              claim: { priority: 200, id },
              hops: 1,
            });
            link.say({
              type: 'hello',
              id,
              link: link.id ?? linkId(1),
              ready: true,
              term: 1,
              decision: null,
              removed: [],
            });
          }
    },
  }),
  'speaks in the name of its neighbours, from afar': () => ({
    also: (links, { ring }) => {
      const { successor, predecessor, term } = ring.state;
      for (const link of links)
        for (const id of [successor, predecessor])
          if (id !== null)
            link.say({
              type: 'claim',
              term: (term ?? 0) + 1,
              claim: { priority: 200, id },
              hops: 3,
            });
    },
  }),
  'sends messages that have made all the hops there are': () => {
    let lap = 0;
    return {
      also: (links, { ring }) => {
        lap += 1;
        const { term, leader } = ring.state;
        if (leader === null || term === null) return;
        for (const link of links)
          link.say({
            type: 'elected',
            term,
            decision: {
              leader: { priority: 1, id: leader },
              lap: 1_000 + lap,
              size: 4,
              hops: 0xffff,
            },
          });
      },
    };
  },
  'raises terms as far as it may': () => ({
    also: (links, { ring }) => {
      const { id } = ring.state;
      for (const link of links)
        link.say({
          type: 'claim',
          term: Math.min(termOf(link) + MAX_TERM_LEAP, 0xffff_fffe),
          claim: { priority: 1, id },
          hops: 1,
        });
    },
  }),
};

/** The world's violations, except frames dropped and peers accused, which are right here. */
function broken(ring: HostileRing): readonly string[] {
  return ring.world.violations.filter((text) => !/ dropped a frame: | accuses /.test(text));
}

describe.each(Object.keys(KINDS))('a peer that %s', (kind) => {
  test.each(SEEDS)(
    'breaks no rule of the others, who are one ring without it (seed %i)',
    (seed) => {
      const ring = new HostileRing(seed, 5, defined(KINDS[kind])(seed));
      const ids = new Set(ring.honest.map(({ id }) => id));
      ring.rage(20_000);
      expect(broken(ring)).toEqual([]);
      for (const { term } of ring.honest) expect(term ?? 0).toBeLessThan(2 ** 31);
      expect(ring.banish()).toEqual([]);
      expect(broken(ring)).toEqual([]);
      expect(ring.honest).toHaveLength(5);
      // No honest peer has to leave for it, except one that had to accuse it a third time.
      expect(ring.accusedHonest).toEqual([]);
      if (ring.accusedHostile < 3) expect(new Set(ring.honest.map(({ id }) => id))).toEqual(ids);
    },
  );
});

/** Two that are hostile in different ways: each kind with the next one. */
const PAIRS = Object.keys(KINDS).map((kind, at, kinds) => [kind, kinds[(at + 1) % kinds.length]]);

describe.each([
  [8, 1],
  [12, 2],
])('in a ring of %i that another joins and whose leader crashes (seed %i)', (size, seed) => {
  test.each([...Object.keys(KINDS).map((kind) => [kind]), ...PAIRS])(
    'peers that are hostile leave the others one ring (%s, %s)',
    (...kinds) => {
      const hostilities = kinds.map((kind) => defined(KINDS[defined(kind)])(seed));
      const ring = new HostileRing(seed, size, ...hostilities);
      const { world } = ring;
      const before = ring.honest.map(({ id }) => id);
      const crashed: unknown[] = [];
      world.clock.after(6_000, () => world.join());
      world.clock.after(9_000, () => {
        const [first, ...others] = ring.honestPeers;
        const leader = others.find((peer) => peer.ring.state.role === 'leader') ?? defined(first);
        crashed.push(leader.ring.state.id);
        world.crash(leader);
      });
      ring.rage(20_000);
      expect(broken(ring)).toEqual([]);
      expect(ring.banish()).toEqual([]);
      expect(ring.honest).toHaveLength(size);
      expect(ring.accusedHonest).toEqual([]);
      const now = new Set(ring.honest.map(({ id }) => id));
      const evicted = before.filter((id) => !now.has(id) && !crashed.includes(id));
      // A peer that must accuse a third time within ten minutes leaves itself (L16).
      if (ring.accusedHostile < 3) expect(evicted).toEqual([]);
    },
  );
});

test.each(['sends garbage', 'floods', 'claims ids that are its neighbours’'])(
  'a peer that %s is cut off and complained about',
  (kind) => {
    const ring = new HostileRing(1, 5, defined(KINDS[kind])(1));
    ring.rage(20_000);
    expect(ring.accusedHostile).toBeGreaterThan(0);
  },
);

test.each([
  'mutates what it relays',
  'replays old frames',
  'speaks in the name of its neighbours, from afar',
])('a peer that %s cannot keep the others from a leader that lives for good', (kind) => {
  const ring = new HostileRing(2, 5, defined(KINDS[kind])(2));
  ring.rage(20_000);
  const living = new Set(ring.world.states.map(({ id }) => id));
  expect(ring.honest.filter(({ leader }) => leader !== null && !living.has(leader))).toEqual([]);
});

test.each(SEEDS)(
  'a leader that never was is found out while the liar goes on (seed %i)',
  (seed) => {
    const ring = new HostileRing(
      seed,
      5,
      defined(KINDS['announces leaders that never were'])(seed),
    );
    ring.rage(60_000);
    const living = new Set(ring.world.states.map(({ id }) => id));
    expect(ring.phantomsFollowed).toBe(true);
    expect(ring.honest.filter(({ leader }) => leader !== null && !living.has(leader))).toEqual([]);
  },
);

test('all kinds of messages are drawn', () => {
  const dice = new Dice(1);
  const ids = [dice.peerId()];
  const knowledge = { ids, sender: defined(ids[0]), term: 1, link: linkId(1), seen: [] };
  const drawn = new Set(Array.from({ length: 500 }, () => anyMessage(dice, knowledge).type));
  expect(drawn).toEqual(new Set(['claim', 'elected', 'hello', 'bye', 'heartbeat', 'pace']));
});
