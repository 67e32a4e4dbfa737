/** Peers named by rank: A has the least id, I the greatest. A peer that comes back is A2, then A3. */
import { parsePeerId, type PeerId } from '../../shared/protocol/ids.ts';
import { valueOf } from '../support.ts';

export const LETTERS = 'ABCDEFGHI';

/** An id of this project's scenarios, or the first block of it. */
const IDS = /\b([0-9a-f]{4})([0-9a-f]{4})(?:-0000-4000-8000-0{12})?\b/g;

/** 1 for A to 9 for I, 0 for everything else. */
export function rankOf(letter: string): number {
  return letter.length === 1 ? LETTERS.indexOf(letter) + 1 : 0;
}

/** The id of a peer's first, second, … membership. All of A's are smaller than all of B's. */
export function idOf(letter: string, life: number): PeerId {
  const block = hex(rankOf(letter)) + hex(life);
  return valueOf(parsePeerId(`${block}-0000-4000-8000-${'0'.repeat(12)}`));
}

/** Replaces ids, short or whole, by names. */
export function withNames(text: string): string {
  return text.replace(IDS, (_, rank: string, life: string) => {
    const letter = LETTERS[Number.parseInt(rank, 16) - 1] ?? '?';
    const lives = Number.parseInt(life, 16);
    return lives === 1 ? letter : `${letter}${lives}`;
  });
}

/** The peer of an id, whichever membership it names. */
export function letterOf(id: PeerId): string {
  return withNames(id).slice(0, 1);
}

function hex(number: number): string {
  return number.toString(16).padStart(4, '0');
}
