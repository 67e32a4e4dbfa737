/** The random choices of a fuzzer, all from one seed. */
import { parseLinkId, parsePeerId, type LinkId, type PeerId } from '../../protocol/ids.ts';
import { randomUuid, seededRandom } from '../random.ts';

/** Numbers at the ends of fields of 8, 16 and 32 bits, and where they wrap around. */
const EDGES = [
  ...[0, 1, 2, 15, 16, 127, 128, 255, 256, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x1_0000],
  ...[0x7fff_ffff, 0x8000_0000, 0xffff_fffd, 0xffff_fffe, 0xffff_ffff],
];

export class Dice {
  readonly random: () => number;

  /** @param seed any integer */
  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number from 0 up to but not including `limit`. */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** One of the given values; there must be at least one. */
  pick<T>(choices: readonly T[]): T {
    for (const choice of choices.slice(this.below(choices.length))) return choice;
    throw new Error('nothing to choose from');
  }

  /** One of the given values, by their weights. */
  weighted<T>(choices: readonly (readonly [number, T])[]): T {
    let left = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, choice] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    throw new Error('nothing to choose from');
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** A number of `bits` bits, often one at an edge. */
  number(bits: 8 | 16 | 32): number {
    const limit = 2 ** bits;
    return this.chance(0.5)
      ? this.pick(EDGES.filter((edge) => edge < limit))
      : this.below(this.chance(0.5) ? 8 : limit);
  }

  peerId(): PeerId {
    const id = parsePeerId(randomUuid(this.random));
    if (!id.ok) throw new Error(id.error);
    return id.value;
  }

  /** A claim that no other outranks. */
  greatestId(): PeerId {
    const id = parsePeerId(`ffffffff-ffff-4fff-bfff-${this.peerId().slice(24)}`);
    if (!id.ok) throw new Error(id.error);
    return id.value;
  }

  linkId(): LinkId {
    const id = parseLinkId(1 + this.below(0xffff_ffff));
    if (!id.ok) throw new Error(id.error);
    return id.value;
  }

  /** A copy with some bytes changed, cut off, inserted or doubled. */
  mutated(bytes: Uint8Array): Uint8Array {
    let copy = [...bytes];
    for (let changes = 1 + this.below(3); changes > 0; changes -= 1) {
      const at = this.below(copy.length + 1);
      switch (this.below(5)) {
        case 0:
          copy = copy.slice(0, at);
          break;
        case 1:
          copy.splice(at, 0, ...this.bytes(1 + this.below(4)));
          break;
        case 2:
          copy.push(...copy.slice(at));
          break;
        case 3:
          copy[at] = this.number(8);
          break;
        default:
          copy[at] = (copy[at] ?? 0) ^ (1 << this.below(8));
      }
    }
    return Uint8Array.from(copy);
  }
}
