/** Shapes in the picture of the ring and in its legend: kinds that would otherwise differ in colour only. */
import type { EdgeKind } from '../ring-view.ts';

/** In the middle of an edge; messages go to the right. */
export const MARKS: Record<EdgeKind, string> = {
  direct: 'M-5-5L6 0L-5 5z',
  // Two for a link with a detour, one for a direct link.
  relayed: 'M-8-5L0 0L-8 5zM0-5L8 0L0 5z',
  connecting: 'M-5-5L6 0L-5 5z',
  broken: 'M-5-5L5 5M-5 5L5-5',
  unknown: 'M-5-5L6 0L-5 5z',
};

/** The token of an announcement; that of a claim is a circle. */
export const ANNOUNCEMENT = 'M0-12L3.2-4 11.6-3.6 5 1.6 7.2 9.8 0 5-7.2 9.8-5 1.6-11.6-3.6-3.2-4z';
