/** Signals that are passed on between neighbours, and how many of them. */
import { fullBucket, takeOne } from '../machine/token-bucket.ts';
import type { PeerId } from '../protocol/ids.ts';
import type { SignalRequest } from '../protocol/signaling.ts';
import { isFrames, isTooMuch } from './relays.ts';
import { passSignal, type Notice } from './room.ts';
import type { Asker, OpenRoom } from './state.ts';
import { deliver, refusal, reply, type Turn } from './turn.ts';

/**
 * Offers and answers of links through the server from one member to another: half of what the other takes, so
 * that nobody uses that up.
 */
const RELAYS = { burst: 16, perSecond: 1 / 2 };

/** Members that are remembered, the newest: more than those to which one may pass signals at a time. */
const MAX_ADDRESSEES = 16;

const NO_RELAY = refusal('no-relay', 'this server passes on no messages between peers');

/** Passes a member's signals on, if they are for a neighbour. */
export function pass(
  turn: Turn,
  open: OpenRoom,
  from: PeerId,
  asker: Asker,
  request: SignalRequest,
): void {
  const { to, edge, signals } = request;
  const notice = passSignal(open, from, request);
  const isOffer = signals.some(({ type }) => type === 'relay');
  const seat = open.seats.get(from);
  if (notice === null) reply(turn, asker, refusal('not-a-neighbour', `${to} is not your ${edge}`));
  else if ((isOffer || isFrames(signals)) && !turn.state.limits.relays)
    reply(turn, asker, NO_RELAY);
  else if (isOffer && !mayRelay(turn, open, from, to))
    reply(turn, asker, refusal('try-again', `too many links through this server with ${to}`));
  else if (seat !== undefined && isTooMuch(turn, open, seat, signals))
    cut(turn, open, asker, notice);
  else {
    deliver(turn, open, [notice]);
    reply(turn, asker, { ok: true });
  }
}

/** A frame is not passed on: a link that loses one is none any more. */
function cut(turn: Turn, open: OpenRoom, asker: Asker, notice: Notice): void {
  if (notice.type === 'signal') {
    const signal = { ...notice.signal, signals: [{ type: 'closed' as const }] };
    deliver(turn, open, [{ ...notice, signal }]);
  }
  reply(turn, asker, refusal('try-again', 'too much goes through this server in this room'));
}

function mayRelay({ now }: Turn, open: OpenRoom, from: PeerId, to: PeerId): boolean {
  const seat = open.seats.get(from);
  if (seat === undefined) return false;
  const known = seat.relays.find((each) => each.to === to);
  if (known !== undefined) return takeOne(known.bucket, RELAYS, now);
  const bucket = fullBucket(RELAYS, now);
  seat.relays = [...seat.relays, { to, bucket }].slice(-MAX_ADDRESSEES);
  return takeOne(bucket, RELAYS, now);
}
