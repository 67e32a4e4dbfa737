/**
 * What goes into a ring member, what comes out, and the turn in which it handles one input. The manner
 * is that of etcd-io/raft (`Step`, `Ready`) and of str0m (`handle_input`, `poll_output`).
 */
import { arm, disarm } from '../machine/due-times.ts';
import type { Moment } from '../machine/moment.ts';
import type { LinkId, PeerId } from '../protocol/ids.ts';
import type { Request, Signal, SignalDelivery, View } from '../protocol/signaling.ts';
import type { RingEvent, RingState } from './events.ts';
import { snapshotOf } from './snapshot.ts';
import type { Due, Identity, Member } from './state.ts';

/** What the member's user asks of it. */
type Command =
  | { readonly type: 'join' | 'leave' | 'vanish' | 'campaign' }
  /** A whole number of milliseconds from 0 to MAX_HOP_DELAY. */
  | { readonly type: 'set hop delay'; readonly hopDelay: number };

/** By request: what is needed besides the reply. */
export interface Contexts {
  readonly join: null;
  readonly resume: null;
  /** The link. */
  readonly signal: LinkId;
  /** The server's memory in which it is asked. */
  readonly settle: string | null;
  /** The neighbour. */
  readonly complain: PeerId;
  readonly lookup: { readonly peer: PeerId; readonly why: 'leader' | 'departed' };
}

/** A question to the server. */
export type Ask<Type extends keyof Contexts = keyof Contexts> = {
  [T in Type]: { readonly request: Request<T>; readonly context: Contexts[T] };
}[Type];

/** What has happened to the platform's end of a direct link. */
export type LinkEvent =
  | { readonly type: 'signal'; readonly signal: Signal }
  /** Frames can be sent. The end that does not initiate may be told by a first frame alone. */
  | { readonly type: 'open' }
  /** One frame as the other end sent it, never trusted. */
  | { readonly type: 'frame'; readonly frame: Uint8Array }
  /** It failed, or the other end closed it. Nothing follows. */
  | { readonly type: 'closed'; readonly reason: string }
  /** The platform cannot make links at all. Nothing follows. */
  | { readonly type: 'impossible'; readonly reason: string };

/** What comes from the server unasked, or from the connection to it. */
export type ServerNews =
  | { readonly type: 'connected' }
  /** The connection to the server is lost, or could not be made; another attempt follows. */
  | { readonly type: 'disconnected'; readonly reason: string }
  | { readonly type: 'view'; readonly view: View }
  | { readonly type: 'signal'; readonly delivery: SignalDelivery }
  /** The server has lost this neighbour's connection and asks for life on the links with it. */
  | { readonly type: 'check'; readonly peer: PeerId }
  /** The server sent an invalid message. */
  | { readonly type: 'invalid'; readonly error: string };

export type Input =
  | Command
  /** A new identity, as asked for: the next membership begins. */
  | { readonly type: 'renewed'; readonly identity: Identity }
  | ServerNews
  /** The server's reply to a question as it came, never trusted. */
  | { readonly type: 'reply'; readonly to: Ask; readonly reply: unknown }
  | { readonly type: 'link'; readonly link: LinkId; readonly event: LinkEvent }
  /** A due time has come. */
  | { readonly type: 'time' };

/** What is to be done, in order. */
export type Output =
  | { readonly do: 'open'; readonly link: LinkId; readonly isInitiator: boolean }
  | { readonly do: 'signal'; readonly link: LinkId; readonly signal: Signal }
  | { readonly do: 'send'; readonly link: LinkId; readonly frame: Uint8Array }
  | { readonly do: 'close'; readonly link: LinkId }
  /** Connect to the server, and again whenever the connection is lost. */
  | { readonly do: 'connect' }
  | { readonly do: 'ask'; readonly ask: Ask }
  /** End the connection to the server: give up the place, or without a word. */
  | { readonly do: 'hang up'; readonly how: 'leave' | 'drop' }
  /** Make a new identity, and give it as `renewed`. */
  | { readonly do: 'renew' }
  /** Tell the observers, with the member's state after the event. */
  | { readonly do: 'tell'; readonly event: RingEvent; readonly state: RingState };

/** The n-th random number of this peer, from [0, 1). */
export type Random = (n: number) => number;

/** One input being handled. */
export interface Turn extends Moment {
  readonly member: Member;
  readonly random: Random;
  readonly outputs: Output[];
}

export function tell(turn: Turn, event: RingEvent): void {
  turn.outputs.push({ do: 'tell', event, state: snapshotOf(turn.member, turn) });
}

export function ask(turn: Turn, question: Ask): void {
  turn.outputs.push({ do: 'ask', ask: question });
}

/** A random number from [0, 1). */
export function draw({ member: { device }, random }: Turn): number {
  device.drawn += 1;
  return random(device.drawn);
}

/** Has something happen at a time, and not at the one that was set for it before. */
export function rearm(turn: Turn, due: Due & { readonly name: UniqueName }): void {
  disarmNamed(turn, due.name);
  arm(turn.member, due);
}

export function disarmNamed({ member }: Turn, name: UniqueName): void {
  disarm(member, (due) => due.name === name);
}

export function isArmed({ member }: Turn, name: UniqueName): boolean {
  return member.dues.some((due) => due.name === name);
}

/** Of these there is one at a time. */
export type UniqueName = Exclude<Due['name'], 'close' | 'send held' | 'probe'>;
