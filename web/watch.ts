/** The entry of the projector page: shows a ring without joining it. */
import { mount } from 'svelte';
import { parseRoomName } from '../shared/protocol/ids.ts';
import BadRoom from './components/BadRoom.svelte';
import { inFragment } from './fragment.ts';
import { roomName } from './room-name.ts';
import { watchRoom } from './watch/connection.ts';
import { WatchedRoom } from './watch/watched-room.svelte.ts';
import WatchPage from './watch/WatchPage.svelte';

const target = document.body;
const name = roomName();
const room = parseRoomName(name);
target.replaceChildren();
if (room.ok) {
  const [key, token, host] = [inFragment('key'), inFragment('token'), inFragment('host')];
  const watched = new WatchedRoom(room.value, watchRoom, { key, token, host });
  mount(WatchPage, { target, props: { watched } });
} else mount(BadRoom, { target, props: { name, error: room.error } });
