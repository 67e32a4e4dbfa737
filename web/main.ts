/** The page's entry. */
import { mount } from 'svelte';
import { parseRoomName } from '../shared/protocol/ids.ts';
import BadRoom from './components/BadRoom.svelte';
import RingPage from './components/RingPage.svelte';
import { RingMember } from './ring-member.svelte.ts';
import './style.css';

const target = document.getElementById('page');
if (target === null) throw new Error('index.html has no #page');

const name = new URLSearchParams(location.search).get('room') ?? 'lobby';
const room = parseRoomName(name);
if (room.ok) mount(RingPage, { target, props: { member: new RingMember(room.value) } });
else mount(BadRoom, { target, props: { name, error: room.error } });
