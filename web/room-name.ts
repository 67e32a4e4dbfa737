/** The name of the room that the page's address gives, which may be an impossible one. */
export function roomName(): string {
  return new URLSearchParams(location.search).get('room') ?? 'lobby';
}
