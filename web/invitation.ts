/** The links by which others come into this room. */
import type { RoomName } from '../shared/protocol/ids.ts';

/** Whether a host name means this device, whoever uses it. */
export function isThisDevice(hostname: string): boolean {
  return /^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/** The room's link at an origin. */
export function linkTo(room: RoomName, origin: string): string {
  return new URL(`/?room=${room}`, origin).href;
}

/** The origins at which the server says that other devices reach it; none where it cannot say. */
export async function askForOrigins(): Promise<readonly string[]> {
  try {
    const answer: unknown = await (await fetch('/addresses')).json();
    if (typeof answer !== 'object' || answer === null || !('origins' in answer)) return [];
    const { origins } = answer;
    if (!Array.isArray(origins)) return [];
    return origins.filter((origin): origin is string => URL.canParse(String(origin)));
  } catch {
    return [];
  }
}
