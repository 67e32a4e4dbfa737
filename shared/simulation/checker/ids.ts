/** The ids of peers as checkers use them. */
import { parsePeerId, type PeerId } from '../../protocol/ids.ts';

/**
 * In the order of their bytes. Either a letter decides that order, or a digit before a letter; so comparing
 * the ids in any other way, as numbers in text or by their last bytes, gives wrong results.
 */
const IDS = [
  '09ffffff-ffff-4fff-bfff-ffffffffffff',
  '0a10c0de-0000-4000-8000-00000000000b',
  '0a9fffff-ffff-4fff-bfff-fffffffffff9',
  '0a9fffff-ffff-4fff-bfff-fffffffffffa',
  'a0000000-0000-4000-8000-000000000000',
  'f0000000-0000-4000-8000-000000000000',
];

/** The id of a peer, whose number is the rank of its id. */
export function numberedId(number: number): PeerId {
  const id = parsePeerId(IDS[number]);
  if (!id.ok) throw new Error(id.error);
  return id.value;
}
