/** The links by which others join this room. */
import type { RoomName } from '../shared/protocol/ids.ts';
import { inFragment } from './fragment.ts';

/** Whether a host name always means the device that uses it. */
export function isThisDevice(hostname: string): boolean {
  return /^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/**
 * The room's link.
 * @param address of a page of the server, or of its folder; by default this page's
 */
export function linkTo(room: RoomName, address = location.href): string {
  // The secret of the room goes along; a token is one person's own.
  const key = inFragment('key');
  const url = new URL(`./?room=${room}`, address);
  if (key !== null) url.hash = new URLSearchParams({ key }).toString();
  return url.href;
}

/** The addresses at which the server says that other devices reach it; none where it cannot say. */
export async function askForAddresses(): Promise<readonly string[]> {
  try {
    const answer: unknown = await (await fetch('addresses')).json();
    if (typeof answer !== 'object' || answer === null || !('addresses' in answer)) return [];
    const { addresses } = answer;
    if (!Array.isArray(addresses)) return [];
    return addresses.filter((address): address is string => URL.canParse(String(address)));
  } catch {
    return [];
  }
}
