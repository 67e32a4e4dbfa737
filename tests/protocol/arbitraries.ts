/** Messages of every kind, as fast-check draws them. */
import fc from 'fast-check';
import type { Extension } from '../../shared/protocol/frame.ts';
import { parsePeerId, type LinkId, type PeerId } from '../../shared/protocol/ids.ts';
import {
  MAX_HOP_DELAY,
  type Claim,
  type Decision,
  type PeerMessage,
} from '../../shared/protocol/messages.ts';
import { linkId, valueOf } from '../support.ts';

const u16 = fc.integer({ min: 1, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** 1 <= term <= 2^32 - 2, so that there is always a next one to send. */
const term = fc.integer({ min: 1, max: 0xffff_fffe });

const peer: fc.Arbitrary<PeerId> = fc
  .oneof(fc.uuid(), fc.constant('ffffffff-ffff-ffff-ffff-ffffffffffff'))
  .map((uuid) => valueOf(parsePeerId(uuid)));

const link: fc.Arbitrary<LinkId> = fc.integer({ min: 1, max: 0xffff_ffff }).map((id) => linkId(id));

const claim: fc.Arbitrary<Claim> = fc.record({
  priority: fc.integer({ min: 0, max: 255 }),
  id: peer,
});

const leader: fc.Arbitrary<Claim> = fc.record({
  priority: fc.integer({ min: 1, max: 255 }),
  id: peer,
});

const announced: fc.Arbitrary<Decision> = fc.record({ leader, lap: u32, size: u16, hops: u16 });

/** A HELLO may come from the leader itself, 0 hops away from itself. */
const held: fc.Arbitrary<Decision> = fc.record({
  leader,
  lap: u32,
  size: u16,
  hops: fc.integer({ min: 0, max: 0xffff }),
});

const hello = fc
  .record({
    id: peer,
    link,
    ready: fc.boolean(),
    knows: fc.oneof(
      fc.record({ term, decision: held }),
      fc.record({ term: fc.oneof(fc.constant(0), term), decision: fc.constant(null) }),
    ),
    removed: fc.array(peer, { maxLength: 16 }),
  })
  .map(({ knows, ...rest }) => ({ type: 'hello' as const, ...rest, ...knows }));

export const message: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({ type: fc.constant('claim'), term, claim, hops: u16 }),
  fc.record({ type: fc.constant('elected'), term, decision: announced }),
  hello,
  fc.record({
    type: fc.constant('bye'),
    reason: fc.constantFrom('leaving', 'relinked'),
  }),
  fc.record({
    type: fc.constant('pace'),
    hopDelay: fc.integer({ min: 0, max: MAX_HOP_DELAY }),
    count: fc.integer({ min: 1, max: 0xffff_ffff }),
    by: peer,
  }),
);

/** Extensions that mean nothing to this version, in any message. */
export const extensions: fc.Arbitrary<Extension[]> = fc.array(
  fc.record({
    type: fc.integer({ min: 2, max: 255 }),
    value: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 4 },
);
