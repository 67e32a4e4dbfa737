/** The IPC messages between the driver of a run and the processes it starts. */
import * as v from 'valibot';

/** How many of a member's last events a violation shows; a process keeps no more of a peer. */
export const MAX_EVENTS = 40;

const MemorySchema = v.object({
  /** Bytes in use after a garbage collection, on the heap and outside it, without compiled code. */
  data: v.number(),
  /** Bytes the system has given the process. */
  rss: v.number(),
  /** Open files and sockets; null where the system does not tell. */
  descriptors: v.nullable(v.number()),
});
/** The resource usage of a process. */
export type Memory = v.InferOutput<typeof MemorySchema>;

const MemberStateSchema = v.object({
  id: v.string(),
  role: v.string(),
  term: v.nullable(v.number()),
  leader: v.nullable(v.string()),
  size: v.nullable(v.number()),
  successor: v.nullable(v.string()),
  predecessor: v.nullable(v.string()),
  successorLink: v.string(),
  predecessorLink: v.string(),
  server: v.string(),
});
/** A member as the run sees it: part of a RingState, which a page's values can be turned into. */
export type MemberState = v.InferOutput<typeof MemberStateSchema>;

/** `request` comes back with the answer. A slot is the place of one peer in its process. */
export const ToProcessSchema = v.variant('type', [
  v.object({ type: v.literal('join'), slot: v.number() }),
  v.object({ type: v.literal('leave'), slot: v.number() }),
  v.object({ type: v.literal('campaign'), slot: v.number() }),
  v.object({ type: v.literal('states'), request: v.number() }),
  v.object({ type: v.literal('memory'), request: v.number() }),
  v.object({ type: v.literal('history'), request: v.number(), slot: v.number() }),
]);
export type ToProcess = v.InferOutput<typeof ToProcessSchema>;

export const FromProcessSchema = v.variant('type', [
  v.object({ type: v.literal('ready') }),
  v.object({
    type: v.literal('states'),
    request: v.number(),
    /** By slot. */
    states: v.array(v.nullable(MemberStateSchema)),
    /** RTCPeerConnections made and not closed, each in words. */
    connections: v.array(v.string()),
    /** Frames that members could not use, so far. */
    dropped: v.number(),
  }),
  v.object({ type: v.literal('memory'), request: v.number(), memory: MemorySchema }),
  v.object({ type: v.literal('history'), request: v.number(), lines: v.array(v.string()) }),
  /** What must not happen has happened. */
  v.object({ type: v.literal('fault'), what: v.string() }),
]);
export type FromProcess = v.InferOutput<typeof FromProcessSchema>;
