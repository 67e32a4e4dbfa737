/** `ringleader token`: makes a token that lets somebody in where JOIN_SECRET is set. */
import { parseArgs } from 'node:util';
import { v4 as uuid } from 'uuid';
import { parsePeerId, parseRoomName } from '../shared/protocol/ids.ts';
import { ROLES, tokenOf, type Role } from '../signaling-server/grants.ts';
import { SHORTEST_SECRET } from '../signaling-server/secret.ts';

const USAGE =
  'usage: ringleader token --room NAME [--role member|watcher|host] [--id UUID] [--name TEXT] [--expires 8h] [--link URL]';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A wrong argument, in words for the person who gave it. */
class WrongArgument extends Error {}

function wanted(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        room: { type: 'string' },
        role: { type: 'string', default: 'member' },
        id: { type: 'string' },
        name: { type: 'string' },
        expires: { type: 'string', default: '8h' },
        link: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    throw new WrongArgument(error instanceof Error ? error.message : String(error));
  }
}

function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text);
}

function milliseconds(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const factor = Object.entries(UNITS).find(([name]) => name === unit)?.[1];
  if (factor === undefined || Number(count) === 0)
    throw new WrongArgument(`--expires is a time such as 90m, 8h or 7d, not ${text}`);
  return Number(count) * factor;
}

async function make(args: readonly string[]): Promise<string> {
  const { room: roomName, role, id: idText, name, expires, link } = wanted(args);
  if (roomName === undefined) throw new WrongArgument('--room is missing');
  const room = parseRoomName(roomName);
  if (!room.ok) throw new WrongArgument(`--room: ${room.error}`);
  if (!isRole(role)) throw new WrongArgument(`--role is ${ROLES.join(', ')}, not ${role}`);
  const id = idText === undefined ? null : parsePeerId(idText);
  if (id?.ok === false) throw new WrongArgument(`--id: ${id.error}`);
  if (name !== undefined && name.length > 100)
    throw new WrongArgument('--name has 100 characters at most');
  if (link !== undefined && !URL.canParse(link))
    throw new WrongArgument('--link is the address of the server, such as https://example.org/');
  const secret = process.env['JOIN_SECRET'] ?? '';
  if (secret.length < SHORTEST_SECRET)
    throw new WrongArgument(`JOIN_SECRET must have at least ${SHORTEST_SECRET} characters`);
  const token = await tokenOf(secret, {
    ...{ room: room.value, id: id?.value, name, role, key: uuid() },
    expires: Date.now() + milliseconds(expires),
  });
  if (link === undefined) return token;
  const page = role === 'member' ? './' : './watch';
  const url = new URL(`${page}?room=${room.value}`, link);
  url.hash = new URLSearchParams({ token }).toString();
  return url.href;
}

/** Prints the token, or a link with it. Returns the status to end with. */
export async function token(args: readonly string[]): Promise<number> {
  try {
    console.log(await make(args));
    return 0;
  } catch (error) {
    if (!(error instanceof WrongArgument)) throw error;
    console.error(`${error.message}; ${USAGE}`);
    return 2;
  }
}
