/**
 * A name and a colour for each peer, derived from its uuid: the same on every device, without coordination.
 * They are for the eye; two peers may share a name, and only the uuid counts.
 */
import type { PeerId } from '../protocol/ids.ts';

/** Adjectives that offend nobody, without colours, which might contradict the peer's own. */
const QUALITIES = `
  able agile alert ample apt astute avid awake bold brave breezy brisk bubbly calm candid careful
  cheery clever cosy crafty crisp curious curly dapper daring deft dreamy eager earnest easy exact
  fair famous fancy fast fine fleet fluent fluffy fond frank fresh funny fuzzy gallant gentle
  giddy gifted glad handy happy hardy hearty helpful honest hopeful humble jaunty jazzy jolly
  jovial joyful keen kind lively loyal lucid lucky mellow merry modest musical neat nifty nimble
  patient peppy perky playful plucky polite prompt proper proud quick quiet quirky rapid ready
  robust savvy serene sharp simple sincere sleek smart smooth snappy snug social solid speedy
  sporty spry steady sturdy subtle super sweet swift tender thrifty tidy tranquil trusty tuneful
  upbeat vivid warm wild willing wise witty youthful zany zesty zippy
`;

/** Animals that offend nobody, without names that are also colours. */
const ANIMALS = `
  alpaca badger bat bear beaver bee bison bobcat camel caribou cat cheetah colt condor cougar
  coyote crane cricket crow deer dingo dolphin dove duck eagle egret elk emu falcon fawn ferret
  finch fox frog gazelle gecko gerbil gibbon giraffe gopher gull hare hawk heron horse hound husky
  ibex ibis iguana impala jackal jaguar jay kestrel kitten kiwi koala koi lark lemur leopard lion
  lizard llama lobster lynx macaw magpie manatee mantis marlin marmot marten meerkat moose moth
  mouse narwhal newt ocelot octopus okapi orca osprey ostrich otter owl panda panther parrot
  pelican penguin pigeon pike pony puffin puma quail rabbit raccoon raven robin rook seal shark
  sparrow squid stag starling stoat stork swallow swan tapir tern thrush tiger toucan trout turtle
  urchin walrus wolf wombat wren yak zebra
`;

const words = (list: string) => list.trim().split(/\s+/);
const qualities = words(QUALITIES);
const animals = words(ANIMALS);

/** A peer's name, as "bright otter". */
export function nameOf(id: PeerId): string {
  const hash = hashOf(id, SALTS.name);
  return `${wordAt(qualities, hash >>> 16)} ${wordAt(animals, hash & 0xffff)}`;
}

/** The first block of a uuid: enough to tell peers apart by eye. */
export function shortId(id: PeerId): string {
  return id.slice(0, 8);
}

/** The hue of a peer's colour, in degrees of OKLCH. Each drawing chooses the lightness. */
export function hueOf(id: PeerId): number {
  return hashOf(id, SALTS.hue) % 360;
}

/** Makes name and hue independent: peers that happen to share one differ in the other. */
const SALTS = { name: 0x811c9dc5, hue: 0x2545f491 };

/**
 * FNV-1a over the whole uuid, finished like MurmurHash3, so that each digit changes the whole result:
 * similar uuids, such as those of version 7, get dissimilar names.
 */
function hashOf(id: PeerId, salt: number): number {
  let hash = salt;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function wordAt(list: readonly string[], number: number): string {
  return list[number % list.length] ?? '';
}
