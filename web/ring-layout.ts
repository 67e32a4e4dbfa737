/** Where peers stand in the picture of the ring. Geometry only. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * The point of a place, which need not be an integer, on a circle round the origin: this peer's at the
 * bottom, its successors' clockwise from there.
 * @param size peers in the ring, at least 1
 */
export function pointAt(place: number, size: number, radius: number): Point {
  const angle = Math.PI / 2 + (2 * Math.PI * place) / size;
  return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
}

/** The angle of a place clockwise from the bottom, in degrees. */
export function turn(place: number, size: number): number {
  return (360 * place) / size;
}

/** An SVG path along the circle from one place to another, clockwise. */
export function arc(from: number, to: number, size: number, radius: number): string {
  const start = pointAt(from, size, radius);
  const end = pointAt(to, size, radius);
  const isLong = (to - from) / size > 0.5 ? 1 : 0;
  return `M${start.x} ${start.y}A${radius} ${radius} 0 ${isLong} 1 ${end.x} ${end.y}`;
}

/** The part of the circle that a label takes: more below, where labels lie side by side. */
const APART = { first: 0.115, next: 0.08 };

/**
 * Places for the labels of a few peers of many, apart from each other and from this peer's at the bottom,
 * and as near to their peers as possible.
 * @param places of those with labels, without this peer's
 * @returns where the label of each stands
 */
export function labelPlaces(places: readonly number[], size: number): ReadonlyMap<number, number> {
  const sorted = places.toSorted((one, other) => one - other);
  const onTheWay = sorted.filter((place) => place <= size / 2);
  const onTheWayBack = sorted.filter((place) => place > size / 2).toReversed();
  return new Map([
    ...spread(onTheWay, size),
    ...spread(
      onTheWayBack.map((place) => size - place),
      size,
    ).map(([place, label]): [number, number] => [size - place, size - label]),
  ]);
}

function spread(ascending: readonly number[], size: number): [number, number][] {
  let least = APART.first * size;
  return ascending.map((place) => {
    const label = Math.max(place, least);
    least = label + APART.next * size;
    return [place, label];
  });
}

/** An SVG path from outside a peer to its label at another place: out, and along the circle. */
export function pointer(from: number, to: number, size: number, radius: number): string {
  const start = pointAt(from, size, radius);
  const corner = pointAt(from, size, radius + 5);
  const end = pointAt(to, size, radius + 5);
  const isClockwise = to > from ? 1 : 0;
  const along = `A${radius + 5} ${radius + 5} 0 0 ${isClockwise} ${end.x} ${end.y}`;
  return `M${start.x} ${start.y}L${corner.x} ${corner.y}${along}`;
}
