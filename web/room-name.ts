/** The room name in the page's address, which may be invalid. */
export function roomName(): string {
  return new URLSearchParams(location.search).get('room') ?? 'lobby';
}
