/**
 * What has happened to one peer, so that its member can be played again: the inputs in order, when each of
 * them was handled, and the random numbers drawn. The same inputs lead to the same state.
 */
import type { RingEvent } from '../member/events.ts';
import { initialMember } from '../member/initial.ts';
import { handle } from '../member/member.ts';
import type { Config, Identity, Member } from '../member/state.ts';
import type { Input, Output } from '../member/turn.ts';
import type { Moment } from '../machine/moment.ts';
import type { RingPeerPorts } from '../driver/ring-peer.ts';

/** One input, and what came of it. */
export interface RecordedTurn {
  readonly input: Input;
  readonly moment: Moment;
  readonly draws: readonly number[];
  readonly events: readonly RingEvent[];
}

export interface Recording {
  readonly config: Config;
  /** Of the first membership; an input tells each later one. */
  readonly identity: Identity;
  /** When the peer was made. */
  readonly now: number;
  readonly turns: readonly RecordedTurn[];
}

/** A recording that still grows, and the member that it is of. */
export interface RunningRecording extends Recording {
  readonly member: Readonly<Member>;
}

/** A turn that was played again. */
export interface ReplayedTurn {
  readonly recorded: RecordedTurn;
  readonly events: readonly RingEvent[];
}

/**
 * Ports that record the peer that is made with them at this moment.
 * @param onBegin given the recording at the first input; it grows as long as the peer lives
 */
export function recordedPorts(
  ports: RingPeerPorts,
  onBegin: (recording: RunningRecording) => void,
): RingPeerPorts {
  const turns: RecordedTurn[] = [];
  const now = ports.clock.now();
  return {
    ...ports,
    handle: (member, input, moment, random) => {
      const { config, identity } = member;
      if (turns.length === 0) onBegin({ config, identity, now, turns, member });
      const draws: number[] = [];
      const events: RingEvent[] = [];
      turns.push({ input, moment, draws, events });
      const recorded = (n: number) => {
        const drawn = random(n);
        draws.push(drawn);
        return drawn;
      };
      const outputs = handle(member, input, moment, recorded);
      events.push(...outputs.flatMap(eventOf));
      return outputs;
    },
  };
}

/**
 * Plays a recording again, one turn after another.
 * @param member as {@link beginningOf} makes it; changes with each turn
 */
export function* replay(member: Member, { turns }: Recording): Generator<ReplayedTurn> {
  for (const recorded of turns) {
    const { input, moment, draws } = recorded;
    const before = member.device.drawn;
    const random = (n: number) => drawnBefore(draws, n - before - 1);
    const events = handle(member, input, moment, random).flatMap(eventOf);
    yield { recorded, events };
  }
}

/** The member of a recording before its first input. */
export function beginningOf({ config, identity, now }: Recording): Member {
  return initialMember(config, identity, now);
}

/** A member that draws more than it did is another one: whatever it gets, its events differ. */
function drawnBefore(draws: readonly number[], at: number): number {
  return draws[at] ?? 0.5;
}

function eventOf(output: Output): RingEvent[] {
  return output.do === 'tell' ? [output.event] : [];
}
