/** A process of many members that only stay connected: `node crowd.js SIZE PORT`. */
import { listen, tell } from '../chaos/own-process.ts';
import { CROWD_ROOM, isOk, joinRequest } from './attacks.ts';
import { honestWay, Stranger } from './strangers.ts';

const [, , size = '', port = ''] = process.argv;

let lost = 0;

async function join(): Promise<void> {
  const member = new Stranger(honestWay(Number(port)));
  member.socket.once('close', () => {
    lost += 1;
    if (lost === 1) tell({ type: 'fault', what: 'a member of it has lost its connection' });
  });
  await member.connected();
  const reply = await member.ask('join', joinRequest(CROWD_ROOM));
  if (!isOk(reply)) tell({ type: 'fault', what: `cannot join: ${reply}` });
}

listen(() => undefined);
for (let joined = 0; joined < Number(size); joined += 20)
  await Promise.all(Array.from({ length: 20 }, join));
tell({ type: 'ready' });
