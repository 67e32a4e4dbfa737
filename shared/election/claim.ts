/** The order on claims. */
import type { Claim } from '../protocol/messages.ts';

export type Comparison = 'greater' | 'less' | 'same';

/** How `a` compares with `b`. Lower-case uuids order as strings exactly as their bytes do. */
export function compareClaims(a: Claim, b: Claim): Comparison {
  if (a.priority !== b.priority) return a.priority > b.priority ? 'greater' : 'less';
  if (a.id !== b.id) return a.id > b.id ? 'greater' : 'less';
  return 'same';
}
