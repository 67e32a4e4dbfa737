/** What can happen next in a world: on its own, and as an event of the budget. */
import type { Action } from './stage.ts';
import type { Link, World } from './world.ts';

/** What is on its way and must come: messages, and views that tell of departures. */
export function ownActions({ peers, ring, links }: World): Action[] {
  const actions: Action[] = [];
  for (const peer of ring)
    if (peers[peer]?.isViewDue === true) actions.push({ type: 'view', peer });
  for (const [at, link] of links.entries()) pushLinkActions(actions, link, at);
  return actions;
}

function pushLinkActions(actions: Action[], link: Link, at: number): void {
  if (link.isRead && link.forth.length > 0) actions.push({ type: 'deliver', link: at });
  if (link.use !== 'closed' && link.back.length > 0)
    actions.push({ type: 'deliver back', link: at });
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
  }
  if (budget.drops > 0)
    for (const [link, { isRead, from }] of links.entries())
      if (isRead && peers[from]?.isMember === true) actions.push({ type: 'drop', link });
  if (budget.losses > 0)
    for (const [link, { forth, isRead }] of links.entries())
      if (isRead && (forth[0]?.value.type === 'claim' || forth[0]?.value.type === 'elected'))
        actions.push({ type: 'lose', link });
  if (budget.rewirings > 0) pushRewirings(actions, world);
  return actions;
}

/** Any peer gets any successor, itself included, or another link to the same one. */
function pushRewirings(actions: Action[], { peers, ring }: World): void {
  for (const peer of ring)
    for (const to of ring)
      if (to !== peer || peers[peer]?.outlet !== 'loopback')
        actions.push({ type: 'rewire', peer, to });
}

/** R7: a peer without a way to its successor waits again, unless it leads. */
function canTimeOut({ peers }: World, at: number): boolean {
  const peer = peers[at];
  if (peer === undefined || peer.timer === 'none') return false;
  if (peer.election.value.role.name === 'leader') return true;
  return peer.outlet === 'link' || (peer.outlet === 'loopback' && peer.successor === at);
}
