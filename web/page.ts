/** The whole page, in place of the shell. */
import { mount } from 'svelte';
import BadRoom from './components/BadRoom.svelte';
import RingPage from './components/RingPage.svelte';
import { DrawnMember } from './drawn-member.svelte.ts';
import type { RingMember } from './ring-member.ts';

const target = document.body;

export function showMember(member: RingMember): void {
  // First, so that the ring's changes are no longer shown in what goes away.
  const drawn = new DrawnMember(member);
  target.replaceChildren();
  mount(RingPage, { target, props: { member: drawn } });
}

export function showBadRoom(name: string, error: string): void {
  target.replaceChildren();
  mount(BadRoom, { target, props: { name, error } });
}
