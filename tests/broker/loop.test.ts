/** What runs the broker: one input after another, and one timer. */
import { expect, test } from 'vitest';
import { run as runBroker } from './run.ts';
import { newBroker, type Delivery } from '../../shared/broker/state.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { PLAIN_TICKETS } from '../../shared/simulation/plain-tickets.ts';
import { requestOf, WINDOW } from './test-broker.ts';

class Run {
  readonly clock = new SimulatedClock();
  readonly performed: Delivery[] = [];
  /** Timers that are set. */
  timers = 0;
  onDelivery: (delivery: Delivery) => void = () => undefined;
  readonly broker = newBroker(
    'monday',
    { peersPerRoom: 9, rooms: 9, burstWindow: WINDOW, relays: true, relayedBytes: 1_000_000 },
    0,
  );
  readonly loop = runBroker(
    this.broker,
    (delivery) => {
      this.performed.push(delivery);
      this.onDelivery(delivery);
    },
    {
      clock: {
        now: () => this.clock.now(),
        after: (milliseconds, call) => {
          this.timers += 1;
          let isSet = true;
          const unset = () => {
            if (isSet) this.timers -= 1;
            isSet = false;
          };
          const cancel = this.clock.after(milliseconds, () => {
            unset();
            call();
          });
          return () => {
            unset();
            cancel();
          };
        },
      },
      date: () => 1e12,
    },
    { tickets: PLAIN_TICKETS, random: () => 0.5 },
  );

  join(number: number): void {
    this.loop.give({ type: 'opened', session: number, address: '' });
    const request = { type: 'join' as const, body: requestOf(number) };
    this.loop.give({ type: 'request', session: number, number, request });
  }

  pass(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }
}

test('an input that comes while something is performed waits until all of it is', () => {
  const run = new Run();
  run.join(1);
  run.pass(WINDOW);
  run.onDelivery = (each) => {
    if (each.type === 'push' && each.session === 1) run.loop.give({ type: 'closed', session: 1 });
  };
  run.join(2);
  const { performed } = run;
  const types = performed
    .slice(1)
    .map((each) => (each.type === 'push' ? each.told.type : each.type));
  // All of the join, though the first member is lost in the middle of it; then the question about it.
  expect(types).toEqual(['view', 'signal', 'signal', 'reply', 'check']);
});

test('there is one timer, for what is due first', () => {
  const run = new Run();
  for (const number of [1, 2, 3]) {
    run.join(number);
    run.pass(WINDOW);
  }
  run.loop.give({ type: 'closed', session: 3 });
  run.join(4);
  run.join(5);
  expect(run.broker.dues.map(({ name }) => name)).toEqual(['assign', 'checks']);
  expect(run.timers).toBe(1);
  run.performed.length = 0;
  run.pass(WINDOW);
  expect(run.performed.map(({ type }) => type)).toContain('reply');
  expect(run.timers).toBe(1);
});

test('nothing happens once it is stopped', () => {
  const run = new Run();
  run.join(1);
  run.join(2);
  run.loop.stop();
  run.performed.length = 0;
  run.loop.give({ type: 'closed', session: 1 });
  run.pass(10 * WINDOW);
  expect(run.performed).toEqual([]);
  expect(run.timers).toBe(0);
});
