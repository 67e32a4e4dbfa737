/** The whole page, in place of what index.html has. */
import { mount } from 'svelte';
import icon from './icon.svg';
import BadRoom from './components/BadRoom.svelte';
import RingPage from './components/RingPage.svelte';
import { DrawnMember } from './drawn-member.svelte.ts';
import type { RingMember } from './ring-member.ts';
import './style.css';

export function showMember(target: HTMLElement, member: RingMember): void {
  // First, so that the ring's changes are no longer shown in what goes away.
  const drawn = new DrawnMember(member);
  clear(target);
  mount(RingPage, { target, props: { member: drawn } });
}

export function showBadRoom(target: HTMLElement, name: string, error: string): void {
  clear(target);
  mount(BadRoom, { target, props: { name, error } });
}

function clear(target: HTMLElement): void {
  target.replaceChildren();
  document.querySelector('link[rel=icon]')?.setAttribute('href', icon);
}
