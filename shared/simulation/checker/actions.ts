/** What can happen next in a world: on its own, and as a fault or a request. */
import type { Action } from './scene.ts';
import type { Link, World } from './world.ts';

/** What is on its way and must come: messages, views, links that open, closed links noticed. */
export function ownActions(world: World): Action[] {
  const actions: Action[] = [];
  for (const peer of world.ring)
    if (world.peers[peer]?.isViewDue === true) actions.push({ type: 'view', peer });
  for (const [at, link] of world.links.entries()) pushLinkActions(actions, world, link, at);
  return actions;
}

function pushLinkActions(actions: Action[], { peers }: World, link: Link, at: number): void {
  const from = peers[link.from];
  const to = peers[link.to];
  if (from === undefined || to === undefined) return;
  if (link.isRead && link.forth.length > 0) actions.push({ type: 'deliver', link: at });
  if (link.use !== 'closed' && link.back.length > 0)
    actions.push({ type: 'deliver back', link: at });
  if (!link.isOpen && to.membership === 'in' && to.predecessor === link.from)
    actions.push({ type: 'open', link: at });
  if (from.membership === 'crashed' || (to.membership === 'crashed' && link.use === 'used'))
    actions.push({ type: 'notice', link: at });
}

/** The events that the budget still allows. */
export function freeActions(world: World): Action[] {
  const { budget, ring, peers, links } = world;
  if (budget.all === 0) return [];
  const actions: Action[] = [];
  for (const peer of ring) {
    if (budget.starts > 0 && peers[peer]?.successor !== -1) actions.push({ type: 'start', peer });
    if (budget.timeouts > 0 && canTimeOut(world, peer)) actions.push({ type: 'timeout', peer });
    if (budget.leaves > 0) actions.push({ type: 'leave', peer });
    if (budget.crashes > 0) actions.push({ type: 'crash', peer });
  }
  if (budget.drops > 0)
    for (const [link, { isOpen, isRead, from }] of links.entries())
      if (isOpen && isRead && peers[from]?.membership === 'in')
        actions.push({ type: 'drop', link });
  if (budget.losses > 0)
    for (const [link, { forth, isRead }] of links.entries())
      if (isRead && (forth[0]?.value.type === 'claim' || forth[0]?.value.type === 'elected'))
        actions.push({ type: 'lose', link });
  if (budget.rewirings > 0) pushRewirings(actions, world);
  pushJoins(actions, world);
  return actions;
}

/** Any peer gets any successor, itself included, or another link to the same one. */
function pushRewirings(actions: Action[], { peers, ring }: World): void {
  for (const peer of ring)
    for (const to of ring)
      if (to !== peer || peers[peer]?.outlet !== 'loopback')
        actions.push({ type: 'rewire', peer, to });
}

/** The next peer outside joins, anywhere in the ring. */
function pushJoins(actions: Action[], { peers, ring }: World): void {
  for (const [peer, { membership }] of peers.entries()) {
    if (membership !== 'outside') continue;
    for (let after = Math.min(1, ring.length); after <= ring.length; after += 1)
      actions.push({ type: 'join', peer, after });
  }
}

/** R7: a peer without a way to its successor waits again, unless it leads. */
export function canTimeOut({ peers }: World, at: number): boolean {
  const peer = peers[at];
  if (peer === undefined || peer.timer === 'none') return false;
  if (peer.election.value.role.name === 'leader') return true;
  return peer.outlet === 'link' || (peer.outlet === 'loopback' && peer.successor === at);
}
