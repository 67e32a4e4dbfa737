/** What newcomers bring, and what follows for them, read from what a room hands out. */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Edge, Offer, SignalDelivery } from '../../shared/protocol/signaling.ts';
import type { Newcomer, Notice, UnsealedView } from '../../shared/broker/room.ts';
import type { Moment } from '../../shared/machine/moment.ts';
import { linkId, peerId } from '../support.ts';

let passed = 0;

/** A second passes between any two things that happen. */
export function moment(): Moment {
  passed += 1_000;
  return { now: passed, date: passed };
}

/** Each peer's offers have links of their own: 2n + 1 to its successor, 2n + 2 to its predecessor. */
export function newcomer(number: number): Newcomer {
  const offers = {
    successor: offerOf(number, 'successor'),
    predecessor: offerOf(number, 'predecessor'),
  };
  return { id: peerId(number), offers };
}

export function offerOf(number: number, edge: Edge): Offer {
  return {
    link: linkId(2 * number + (edge === 'successor' ? 1 : 2)),
    signals: [{ type: 'offer', sdp: `${edge} of ${number}` }],
  };
}

/** The signal by which a neighbour learns of that offer; `edge` is whose the offer is. */
export function offerDelivered(number: number, edge: Edge): SignalDelivery {
  return {
    from: peerId(number),
    edge: edge === 'successor' ? 'predecessor' : 'successor',
    ...offerOf(number, edge),
  };
}

export function viewsIn(deliveries: readonly Notice[]): Map<PeerId, UnsealedView> {
  const views = new Map<PeerId, UnsealedView>();
  for (const delivery of deliveries)
    if (delivery.type === 'view') {
      if (views.has(delivery.to)) throw new Error(`two views for ${delivery.to}`);
      views.set(delivery.to, delivery.view);
    }
  return views;
}

export function signalsTo(deliveries: readonly Notice[], to: PeerId): SignalDelivery[] {
  return deliveries.flatMap((delivery) =>
    delivery.type === 'signal' && delivery.to === to ? [delivery.signal] : [],
  );
}
