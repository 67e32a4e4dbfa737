/** The entry of the projector page: shows a ring without joining it. */
import { mount } from 'svelte';
import { parseRoomName } from '../shared/protocol/ids.ts';
import BadRoom from './components/BadRoom.svelte';
import { roomName } from './room-name.ts';
import { WatchedRoom } from './watch/watched-room.svelte.ts';
import WatchPage from './watch/WatchPage.svelte';

const target = document.body;
const name = roomName();
const room = parseRoomName(name);
target.replaceChildren();
if (room.ok) mount(WatchPage, { target, props: { watched: new WatchedRoom(room.value) } });
else mount(BadRoom, { target, props: { name, error: room.error } });
