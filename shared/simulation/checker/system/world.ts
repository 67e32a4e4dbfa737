/** A room at one moment: members, broker, connections and links, as numbers of parts that never change. */
import type { Policy } from '../../../protocol/messages.ts';

/** A place for a member in the world, by the rank of its first id. */
export type Slot = number;

/** Instead of a member's number: nothing is left of it. */
export const GONE = -1;

/** Nobody: the end of a wire that is not there, or no session. */
export const NONE = -1;

/** A direct link as the platform has it. */
export interface Wire {
  readonly id: number;
  /** Its ends, or {@link NONE} where an end is closed, has crashed or is not made yet. */
  readonly initiator: Slot;
  readonly responder: Slot;
  /** Whether it was ever connected, and whether it is dead without either end's doing. */
  readonly isUp: boolean;
  readonly isBroken: boolean;
  /** Frames on their way to the responder, and to the initiator, by number. */
  readonly forth: readonly number[];
  readonly back: readonly number[];
}

/** How often each event may still happen, and how many in all. */
export interface Budget {
  readonly joins: number;
  readonly starts: number;
  readonly timeouts: number;
  readonly leaves: number;
  readonly crashes: number;
  /** Links that break while both ends live. */
  readonly drops: number;
  /** Single messages of the election that vanish, as at a peer that freezes. */
  readonly losses: number;
  /** Connections to the server that break. */
  readonly cuts: number;
  /** Times that the server loses its memory. */
  readonly lapses: number;
  readonly all: number;
}

export interface World {
  /** By slot: the number of a member's state. */
  readonly members: readonly number[];
  readonly broker: number;
  /** By slot: the connection to the server, and what is on its way from it, by number. */
  readonly sessions: readonly number[];
  readonly down: readonly (readonly number[])[];
  /** Connections of which the server does not know yet that they are lost. */
  readonly lost: readonly number[];
  readonly wires: readonly Wire[];
  readonly budget: Budget;
  /** How many messages of the election were sent, where that is counted; else -1. */
  readonly messages: number;
}

/** Two worlds have the same key exactly if they cannot be told apart. */
export function keyOf(world: World): string {
  const { members, broker, sessions, down, lost, wires, budget, messages } = world;
  const codes: number[] = [messages + 1];
  for (const left of Object.values(budget)) codes.push(Number(left));
  pushNumber(codes, broker);
  for (const member of members) pushNumber(codes, member + 1);
  for (const session of sessions) codes.push(session + 1);
  for (const queue of down) pushList(codes, queue);
  codes.push(lost.length, ...lost, wires.length);
  for (const { id, initiator, responder, isUp, isBroken, forth, back } of wires) {
    codes.push(id, initiator + 1 + 16 * (responder + 1), Number(isUp) + 2 * Number(isBroken));
    pushList(codes, forth);
    pushList(codes, back);
  }
  return String.fromCharCode(...codes);
}

function pushList(codes: number[], numbers: readonly number[]): void {
  codes.push(numbers.length);
  for (const number of numbers) pushNumber(codes, number);
}

function pushNumber(codes: number[], number: number): void {
  codes.push(number & 0x7fff, number >> 15);
}

/** How a world begins. */
export interface Beginning {
  readonly policy: Policy;
  /** For each slot. */
  readonly priorities: readonly number[];
  /** The first members in ring order; the others join. */
  readonly ring: readonly Slot[];
  readonly budget: Budget;
  /** For how long each member holds a message of the election, in milliseconds. */
  readonly hopDelay?: number;
}
