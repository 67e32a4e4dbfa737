/** Where peers stand in the picture of the ring. Geometry only. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A peer, or several that are not drawn one by one. */
export interface Seat extends Point {
  /** How many successors after this peer; 0 is this peer, size - 1 its predecessor. */
  readonly place: number;
}

/** More peers than this are drawn as an arc. */
export const MAX_SEATS = 48;

/**
 * Seats on a circle round the origin, this peer at the bottom and its successors clockwise.
 * @param size peers in the ring, at least 1
 * @param radius of the circle
 */
export function seats(size: number, radius: number): Seat[] {
  return Array.from({ length: size }, (_, place) => ({ place, ...pointAt(place, size, radius) }));
}

/** The point of a place, which need not be whole. */
export function pointAt(place: number, size: number, radius: number): Point {
  const angle = Math.PI / 2 + (2 * Math.PI * place) / size;
  return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
}

/** An SVG path along the circle from one place to another, clockwise. */
export function arc(from: number, to: number, size: number, radius: number): string {
  const start = pointAt(from, size, radius);
  const end = pointAt(to, size, radius);
  const isLong = (to - from) / size > 0.5 ? 1 : 0;
  return `M${start.x} ${start.y}A${radius} ${radius} 0 ${isLong} 1 ${end.x} ${end.y}`;
}
