/** The seed's part of a run: which faults come in which order, and after which pauses. */
import { seededRandom } from '../../shared/simulation/random.ts';

/**
 * One fault. Where it has a choice of victims, `dice` from [0, 1) decides. `leave`, `campaign`: a peer of a
 * process. `kill`: a process with all its peers. `behead`: the process of the leader, or its tab. `outage`:
 * the server, for `downtime` milliseconds.
 */
export type Fault =
  | { readonly kind: 'leave' | 'kill' | 'campaign'; readonly dice: number }
  | { readonly kind: 'join' | 'behead' }
  | { readonly kind: 'close-tab' | 'crash-tab' | 'reload-tab'; readonly dice: number }
  | { readonly kind: 'unplug'; readonly dice: number; readonly downtime: number }
  | { readonly kind: 'outage'; readonly downtime: number };

/** Faults with a pause after each, in milliseconds; no faults after that. */
export interface Round {
  /** `outage`: the server alone is killed. `storm`: everything at once. */
  readonly kind: 'storm' | 'outage';
  readonly faults: readonly (readonly [Fault, number])[];
}

/** Of so many rounds, the first half kills the server too; the rest shows how it ages. */
const SERVER_AGE = 24;

/** The share of each kind among a storm's faults. */
const STORM: readonly (readonly [Fault['kind'], number])[] = [
  ['join', 0.24],
  ['leave', 0.2],
  ['kill', 0.22],
  ['behead', 0.08],
  ['campaign', 0.08],
  ['reload-tab', 0.06],
  ['close-tab', 0.04],
  ['crash-tab', 0.04],
  ['outage', 0.04],
];

/** In addition, on a network that can be unplugged. */
const UNPLUG = 0.1;

export interface ScheduleOptions {
  readonly seed: number;
  /** Whether a group of processes can be cut off from the rest. */
  readonly canUnplug: boolean;
}

/** The rounds of a seed, without end. */
export function* schedule({ seed, canUnplug }: ScheduleOptions): Generator<Round, never> {
  const random = seededRandom(seed);
  for (let round = 0; ; round += 1) {
    const isDeadly = round % SERVER_AGE < SERVER_AGE / 2;
    // The third of every four; by then there is something to lose.
    if (isDeadly && round % 4 === 2) {
      yield {
        kind: 'outage',
        faults: [[{ kind: 'outage', downtime: 500 + random() * 3_500 }, 0]],
      };
      continue;
    }
    const count = 4 + Math.floor(random() * 9);
    const faults = Array.from({ length: count }, (): readonly [Fault, number] => {
      const fault = drawFault(random, canUnplug);
      const allowed: Fault = fault.kind === 'outage' && !isDeadly ? { kind: 'join' } : fault;
      // Some at once, some with a pause.
      const pause = random() < 0.4 ? 0 : random() * 700;
      return [allowed, pause];
    });
    yield { kind: 'storm', faults };
  }
}

function drawFault(random: () => number, canUnplug: boolean): Fault {
  const dice = random();
  const downtime = 500 + random() * 5_000;
  if (canUnplug && random() < UNPLUG) return { kind: 'unplug', dice, downtime };
  let left = random();
  for (const [kind, share] of STORM) {
    left -= share;
    if (left >= 0) continue;
    switch (kind) {
      case 'join':
      case 'behead':
        return { kind };
      case 'outage':
        return { kind, downtime };
      case 'unplug':
        return { kind, dice, downtime };
      default:
        return { kind, dice };
    }
  }
  return { kind: 'join' };
}
