/** What is counted rather than timed: the shipped ring members on a simulated network. */
const load = (name) => import(new URL(`../dist/shared/${name}`, import.meta.url).href);
const { World } = await load('simulation/world.js');
const { parseFrame } = await load('protocol/frame.js');

/** Elections whose messages are counted, for each size. */
const ELECTIONS = 200;
const SIZES = [3, 12, 30];

/** How long a simulated ring may take to agree, in milliseconds. */
const PATIENCE = 60_000;

function settle(world) {
  const problems = world.settle(PATIENCE);
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

/** Whether a message is one of an election, and not a lap after it. */
function isOfElection(message) {
  return message.type === 'claim' || (message.type === 'elected' && message.decision.lap === 0);
}

/** Links as they are, but for that each frame that is sent is told of. */
const tapped = (onFrame) => (openLink) => (initiator, handlers) => {
  const link = openLink(initiator, handlers);
  return {
    signal: (signal) => link.signal(signal),
    close: () => link.close(),
    send: (bytes) => {
      onFrame(bytes);
      link.send(bytes);
    },
  };
};

/**
 * (d) Messages and bytes of an election that all peers start at the same moment, in rings whose ids
 * are in random order, beside the mean that Chang and Roberts give.
 */
export function measureElections() {
  return SIZES.map((size) => {
    const sum = { claims: 0, announcements: 0, bytes: 0 };
    for (let seed = 0; seed < ELECTIONS; seed += 1) {
      const world = new World(seed);
      let term = 0;
      const tap = tapped((bytes) => {
        const { message } = parseFrame(bytes).value;
        if (message.term !== term || !isOfElection(message)) return;
        sum[message.type === 'claim' ? 'claims' : 'announcements'] += 1;
        sum.bytes += bytes.length;
      });
      for (let joined = 0; joined < size; joined += 1) world.join({ tap });
      settle(world);
      term = world.states[0].term + 1;
      for (const { ring } of world.peers) ring.campaign();
      settle(world);
    }
    const mean = (total) => total / ELECTIONS;
    let harmonic = 0;
    for (let k = 1; k <= size; k += 1) harmonic += 1 / k;
    return {
      size,
      elections: ELECTIONS,
      claims: mean(sum.claims),
      expectedClaims: size * harmonic,
      announcements: mean(sum.announcements),
      expectedAnnouncements: size,
      bytes: mean(sum.bytes),
    };
  });
}

/** (e) Links made while peers join one after another. */
export function measureJoins(joins = 1_000) {
  const world = new World(1);
  for (let joined = 0; joined < joins; joined += 1) {
    world.join();
    world.run(300);
  }
  const opened = new Map();
  for (const { peer, event } of world.trace)
    if (event.type === 'link' && event.state === 'open')
      opened.set(peer, (opened.get(peer) ?? 0) + 1);
  const ends = [...opened.values()].reduce((sum, count) => sum + count, 0);
  return {
    joins,
    perJoin: ends / 2 / joins,
    most: Math.max(...opened.values()),
    bound: 2 * Math.log2(joins) + 4,
    offered: world.linkEnds / joins,
  };
}
