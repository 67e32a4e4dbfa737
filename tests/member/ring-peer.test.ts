/** A peer that has lost its place comes back as a new one, without overloading the server. */
import { expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { JoinReply, JoinRequest, View } from '../../shared/protocol/signaling.ts';
import type { RingEvent } from '../../shared/member/events.ts';
import type { ServerNews } from '../../shared/member/turn.ts';
import { RingPeer } from '../../shared/driver/ring-peer.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { defined, peerId, roomName } from '../support.ts';

/** A peer whose server is played by the test; each membership has its own ids and secrets. */
class Played {
  readonly clock = new SimulatedClock();
  readonly joins: { request: JoinRequest; reply: (reply: JoinReply) => void; at: number }[] = [];
  readonly peer: RingPeer;
  /** Called with each event. */
  onEvent: (event: RingEvent) => void = () => undefined;
  #server: ((news: ServerNews) => void) | null = null;
  #made = 0;

  constructor() {
    const next = () => {
      this.#made += 1;
      return this.#made;
    };
    this.peer = new RingPeer(roomName('lobby'), {
      clock: this.clock,
      // The middle: pauses are then exactly as long as configured.
      random: (n) => 0.5 + n * 1e-9,
      date: () => this.clock.now(),
      openLink: (initiator, handlers) => {
        if (initiator) handlers.onSignal({ type: 'offer', sdp: '' });
        return { signal: () => undefined, send: () => undefined, close: () => undefined };
      },
      newSignaling: () => ({
        connect: (onNews) => {
          this.#server = onNews;
          onNews({ type: 'connected' });
        },
        ask: ({ type, body }, reply) => {
          if (type === 'join') this.joins.push({ request: body, reply, at: this.clock.now() });
          if (type === 'resume')
            reply({ ok: false, code: 'place-lost', message: 'the place is lost' });
        },
        leave: () => undefined,
        drop: () => undefined,
      }),
      newId: () => peerId(next()),
      newSecret: () => `the secret of ${next()}`,
      onEvent: (event) => {
        this.onEvent(event);
      },
    });
    this.peer.join();
  }

  /** The last that has joined gets a place, alone in its ring. */
  place(): void {
    const { request, reply } = defined(this.joins.at(-1));
    const itself = { id: request.id, link: null };
    const view: View = {
      incarnation: 'e',
      era: 1,
      version: 1,
      size: 3,
      successor: itself,
      predecessor: itself,
      removed: [],
      ticket: '',
    };
    reply({ ok: true, view, policy: 'highest' });
  }

  /** Its connection is lost, and with it its place. */
  lose(): void {
    defined(this.#server)({ type: 'disconnected', reason: 'lost' });
    defined(this.#server)({ type: 'connected' });
  }

  refuse(code: 'id-taken' | 'place-lost' | 'room-full'): void {
    defined(this.joins.at(-1)).reply({ ok: false, code, message: 'refused for a test' });
  }

  pass(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }

  get ids(): PeerId[] {
    return this.joins.map(({ request }) => request.id);
  }
}

test('a peer that loses its place is there again at once, with an id and a secret that nobody had (L9d)', () => {
  const played = new Played();
  played.place();
  played.lose();
  expect(played.joins).toHaveLength(2);
  const secrets = played.joins.map(({ request }) => request.secret);
  expect(new Set([...played.ids, ...secrets]).size).toBe(4);
  played.place();
  expect(played.peer.state).toMatchObject({ role: 'leader', id: played.ids[1] });
});

test('a peer that loses it repeatedly waits longer each time, 8 s at most', () => {
  const played = new Played();
  const pauses: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    played.place();
    const lost = played.clock.now();
    played.lose();
    played.pass(20_000);
    pauses.push(defined(played.joins.at(-1)).at - lost);
    // A membership that lasts is no failure: this one must not last.
    played.refuse('id-taken');
    played.pass(20_000);
  }
  expect(played.joins.length).toBeGreaterThan(10);
  expect(pauses[0]).toBe(0);
  expect(pauses.at(-1)).toBeCloseTo(8_000, 2);
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
});

test('a membership that lasted is no failure: the next return is at once again', () => {
  const played = new Played();
  for (let round = 0; round < 5; round += 1) {
    played.place();
    played.pass(10_001);
    const before = played.joins.length;
    played.lose();
    expect(played.joins).toHaveLength(before + 1);
  }
});

test('an id that is taken is given up for another', () => {
  const played = new Played();
  played.refuse('id-taken');
  expect(played.joins).toHaveLength(2);
  expect(played.ids[0]).not.toBe(played.ids[1]);
});

test('a room that is full is not tried again', () => {
  const played = new Played();
  played.refuse('room-full');
  played.pass(60_000);
  expect(played.joins).toHaveLength(1);
  expect(played.peer.state.role).toBe('offline');
});

test('a peer that leaves while it waits to come back stays away, and may join by itself', () => {
  const played = new Played();
  for (let round = 0; round < 3; round += 1) played.refuse('id-taken');
  const waiting = played.joins.length;
  played.peer.leave();
  played.pass(60_000);
  expect(played.joins).toHaveLength(waiting);
  played.peer.join();
  expect(played.joins).toHaveLength(waiting + 1);
});

test('a fault of a listener is told, and stops no change of the ring half way', () => {
  const played = new Played();
  played.place();
  const told: string[] = [];
  played.onEvent = ({ type }) => {
    told.push(type);
    throw new Error(`cannot show ${type}`);
  };
  played.lose();
  expect(played.joins).toHaveLength(2);
  played.place();
  played.peer.leave();
  expect(played.peer.state.role).toBe('offline');
  expect(told.at(-1)).toBe('left');
  expect(() => {
    played.pass(0);
  }).toThrow(`cannot show ${told[0] ?? ''}`);
});
