/**
 * The ring members and the broker with one rule changed at a time, and what catches each. A patch is
 * text of a source file that must be there exactly once, and what stands in its place.
 */

/**
 * A run of simulated storms, of which at least one must fail.
 * @typedef {{ storm: string, from: number, seeds: number, peers: number }} StormCatch
 *
 * A test that must fail: its file, and its name or the beginning of it.
 * @typedef {{ file: string, test: string }} TestCatch
 *
 * @typedef {object} Mutant
 * @property {string} rule of SPEC.md
 * @property {string} change what the mutant does
 * @property {string} file below shared/
 * @property {string} find
 * @property {string} replace
 * @property {StormCatch | TestCatch} caughtBy
 */

/**
 * @param {string} name of the storm
 * @param {number} from the first seed
 * @returns {StormCatch}
 */
const storm = (name, from, seeds = 20, peers = 5) => ({ storm: name, from, seeds, peers });

/**
 * @param {string} file below tests/
 * @param {string} name
 * @returns {TestCatch}
 */
const test = (file, name) => ({ file: `tests/${file}.test.ts`, test: name });

/** @type {readonly Mutant[]} */
export const MUTANTS = [
  {
    rule: 'L1',
    change: 'a view of the same version is not obeyed',
    file: 'ring/ring-node.ts',
    find: 'view.version < this.#view.version) return;',
    replace: 'view.version <= this.#view.version) return;',
    caughtBy: test('ring/rules', 'L1: a view of the same version as the last one'),
  },
  {
    rule: 'L1',
    change: 'an older view is obeyed',
    file: 'ring/ring-node.ts',
    find: 'view.version < this.#view.version) return;',
    replace: 'view.version < 0) return;',
    caughtBy: test('ring/rules', 'L1: a view of a lower version'),
  },
  {
    rule: 'L1',
    change: 'the departures of a view are not taken',
    file: 'ring/ring-node.ts',
    find: 'this.#dropPeers(view.removed);',
    replace: '',
    caughtBy: storm('outages', 0),
  },
  {
    rule: 'L2',
    change: 'offers that were not chosen stay open',
    file: 'ring/ring-node.ts',
    find: 'this.#applyView(reply.view);\n      // The view has chosen others than those that are left.\n      this.#offers.discard();',
    replace: 'this.#applyView(reply.view);',
    caughtBy: test('ring/ring-node', 'a peer alone leads and has let go of its offers'),
  },
  {
    rule: 'L2',
    change: 'the link that the view names is not used',
    file: 'ring/ring-node.ts',
    find: 'this.#offers.use(edge, view[edge])',
    replace: 'null',
    caughtBy: test('ring/ring-node', 'L2: a newcomer keeps the offer that the view names'),
  },
  {
    rule: 'L2',
    change: 'newcomers of a burst get their places one by one',
    file: 'ring/broker.ts',
    find: 'open.pending.length > 1 || now < open.assignedAt + burstWindow',
    replace: 'false',
    caughtBy: test('ring/broker', 'L2: when newcomers are given their places'),
  },
  {
    rule: 'L3',
    change: 'a link that does not come up is not offered again',
    file: 'ring/edges.ts',
    find: 'this.#retryIn(wait);',
    replace: '',
    caughtBy: test(
      'ring/links',
      'where no direct link comes up L11 one through the server is offered',
    ),
  },
  {
    rule: 'L3',
    change: 'a link that is lost is not offered again',
    file: 'ring/edges.ts',
    find: "if (!this.#isTrying('direct')) this.#retryIn(this.#afterLoss(this.#failures));",
    replace: '',
    caughtBy: storm('partitions', 0),
  },
  {
    rule: 'L4',
    change: 'a HELLO that names another link is taken',
    file: 'ring/neighbour-link.ts',
    find: 'if (message.id !== this.#peer || message.link !== this.id) {',
    replace: 'if (message.id !== this.#peer) {',
    caughtBy: test('ring/rules', 'L4: a link is of no use upon'),
  },
  {
    rule: 'L4',
    change: 'a HELLO of another peer is taken',
    file: 'ring/neighbour-link.ts',
    find: 'if (message.id !== this.#peer || message.link !== this.id) {',
    replace: 'if (message.link !== this.id) {',
    caughtBy: test('ring/rules', 'L4: a link is of no use upon'),
  },
  {
    rule: 'L4',
    change: 'messages before the first HELLO are taken',
    file: 'ring/neighbour-link.ts',
    find: "} else if (this.#hello === null && message.type !== 'bye') {",
    replace: '} else if (this.id === null) {',
    caughtBy: test('ring/rules', 'L4: a link brings no claim'),
  },
  {
    rule: 'L4',
    change: 'departures are taken from a second HELLO',
    file: 'ring/ring-node.ts',
    find: 'isFirst ? hello.removed : []',
    replace: 'hello.removed',
    caughtBy: test(
      'ring/lookups',
      'one that is presumed departed and speaks is not so because a neighbour says it again',
    ),
  },
  {
    rule: 'L4',
    change: 'no second HELLO tells that a peer is ready now',
    file: 'ring/ring-node.ts',
    find: 'for (const link of this.#edges.predecessor.links) link.send(this.#hello(link));',
    replace: '',
    caughtBy: test(
      'ring/mute',
      'a predecessor that answers heartbeats and says nothing else is not blamed by one that has not told it',
    ),
  },
  {
    rule: 'L4',
    change: 'a link without a HELLO stays open',
    file: 'ring/neighbour-watch.ts',
    find: 'if (link.silence >= HELLO_SILENCE) this.drop',
    replace: 'if (link.silence >= Infinity) this.drop',
    caughtBy: test('ring/links', 'silence of one that says'),
  },
  {
    rule: 'L5',
    change: 'a link is used although its other end is not ready',
    file: 'ring/edges.ts',
    find: 'return link.hello.ready;',
    replace: 'return true;',
    caughtBy: test('ring/rules', 'L8: a successor that is gone is not used any more'),
  },
  {
    rule: 'L5',
    change: 'a direct link does not take the place of a relayed one',
    file: 'ring/edges.ts',
    find: "this.#connection === 'relayed' && link.kind === 'direct'",
    replace: 'false',
    caughtBy: test(
      'ring/links',
      'where no direct link comes up a direct one that comes up later takes over',
    ),
  },
  {
    rule: 'L5',
    change: 'the link used before is cut, not retired',
    file: 'ring/edges.ts',
    find: "previous.retire('relinked');",
    replace: 'previous.close();',
    caughtBy: test(
      'ring/links',
      'where no direct link comes up the one through the server is used',
    ),
  },
  {
    rule: 'L6',
    change: 'a successor is read',
    file: 'ring/ring-node.ts',
    find: "if (edge === 'successor') this.#dropFrame(link, `${message.type} from the successor`);",
    replace: 'if (link.isClosed) return;',
    caughtBy: test(
      'ring/ring-node-messages',
      'bad frames of the election are not taken from the successor',
    ),
  },
  {
    rule: 'L6',
    change: 'an earlier predecessor is not read to its BYE',
    file: 'ring/edges.ts',
    find: 'if (!link.isOpen && link.peer !== id) this.#close(link);',
    replace: 'if (link.peer !== id) this.#close(link);',
    caughtBy: test(
      'ring/intake',
      'a neighbour that sends as many messages as a link may carry and is the predecessor no more',
    ),
  },
  {
    rule: 'L7',
    change: 'a peer that has said BYE goes on reading',
    file: 'ring/neighbour-link.ts',
    find: "this.#phase = 'leaving';",
    replace: '',
    caughtBy: test('ring/rules', 'L7: after its BYE a peer'),
  },
  {
    rule: 'L7',
    change: 'no BYE is said on a link that is given up',
    file: 'ring/neighbour-link.ts',
    find: "this.send({ type: 'bye', reason });",
    replace: '',
    caughtBy: test('ring/rules', 'L7: after its BYE a peer'),
  },
  {
    rule: 'L7',
    change: 'a peer that leaves says nothing on its relayed links',
    file: 'ring/ring-node.ts',
    find: `this.#edges.retire();
    this.#server = 'offline';`,
    replace: `this.#server = 'offline';
    this.#edges.retire();`,
    caughtBy: test('ring/rules', 'L7: after its BYE a peer has said it on a relayed link too'),
  },
  {
    rule: 'L7',
    change: 'BYE does not mean that the peer is gone',
    file: 'ring/ring-node.ts',
    find: "if (reason === 'leaving' && link.peer !== null) {",
    replace: "if (reason === 'leaving' && link.peer === null) {",
    caughtBy: test(
      'ring/links',
      'a check by the server of a neighbour that has said goodbye for good',
    ),
  },
  {
    rule: 'L8',
    change: 'a departure is noted only once its links are closed',
    file: 'ring/ring-node.ts',
    find: "this.#election.step({ type: 'removed', peers: gone });\n    this.#edges.dropPeers(new Set(gone));",
    replace:
      "this.#edges.dropPeers(new Set(gone));\n    this.#election.step({ type: 'removed', peers: gone });",
    caughtBy: test('ring/rules', 'L8: a successor that is gone is known to be gone'),
  },
  {
    rule: 'L8',
    change: 'no other link takes the place of one to a peer that is gone',
    file: 'ring/edges.ts',
    find: "'closed', 'the peer has left');\n    this.trySwitch();",
    replace: "'closed', 'the peer has left');",
    caughtBy: test('ring/rules', 'L8: a successor that is gone is not used any more'),
  },
  {
    rule: 'L8',
    change: 'links to peers that are gone are kept',
    file: 'ring/ring-node.ts',
    find: 'this.#edges.dropPeers(new Set(gone));',
    replace: '',
    caughtBy: test('ring/rules', 'L8: a successor that is gone is not used any more'),
  },
  {
    rule: 'L9',
    change: 'a member that returns does not name the departed',
    file: 'ring/ring-node.ts',
    find: 'removed: this.#goneForSure.slice(-MAX_REMOVED_IN_RESUME),',
    replace: 'removed: [],',
    caughtBy: test('ring/rules', 'L9: a member that returns'),
  },
  {
    rule: 'L9',
    change: 'a peer that has lost its place does not join again',
    file: 'ring/ring-peer.ts',
    find: "(event.code === 'place-lost' || event.code === 'id-taken')",
    replace: "event.code === 'id-taken'",
    caughtBy: storm('partitions', 0),
  },
  {
    rule: 'L9',
    change: 'a join whose answer was lost is asked again under the same id',
    file: 'ring/ring-node.ts',
    find: "if (this.#membership !== 'joining' || !this.#isJoinSent) return;",
    replace: 'if (this.#isJoinSent || !this.#isJoinSent) return;',
    caughtBy: test('ring/ring-node', 'a join that is lost with its connection'),
  },
  {
    rule: 'L10',
    change: 'an offer of one that is no neighbour is taken',
    file: 'ring/ring-node.ts',
    find: 'if (end.target !== from || kind === null || !end.hasRoom) return;',
    replace: 'if (kind === null || !end.hasRoom) return;',
    caughtBy: test('ring/rules', 'L10: a signal that offers a link'),
  },
  {
    rule: 'L10',
    change: 'a signal for a link is taken from a third peer',
    file: 'ring/ring-node.ts',
    find: 'if (known.peer === from) known.signal(signals);',
    replace: 'known.signal(signals);',
    caughtBy: test('ring/rules', 'L10: a signal for a link'),
  },
  {
    rule: 'L11',
    change: 'a relayed link outlives the connection to the server',
    file: 'ring/ring-node.ts',
    find: "this.#watch.drop(link, 'server was lost');",
    replace: 'this.#watch.placed();',
    caughtBy: test('ring/links', 'where no direct link comes up a relayed one does not outlive'),
  },
  {
    rule: 'L11',
    change: 'an attempt that fails before the next is made teaches nothing',
    file: 'ring/edges.ts',
    find: "if (wasAttempt && link.kind === 'direct' && this.#connection === 'relayed')",
    replace: 'if (wasAttempt && this.#target === null)',
    caughtBy: test(
      'ring/links',
      'where no direct link comes up L11 so does one on which the attempt has failed by itself',
    ),
  },
  {
    rule: 'L11',
    change: 'no relayed link is offered',
    file: 'ring/edges.ts',
    find: "const link = this.#owner.offer('successor', target, 'relayed');",
    replace: 'const link = null as NeighbourLink | null;',
    caughtBy: storm('mishaps', 5),
  },
  {
    rule: 'L12',
    change: 'heartbeats are not answered',
    file: 'ring/neighbour-link.ts',
    find: "if (this.#answers.takeOne()) this.send({ type: 'heartbeat', isReply: true, count });",
    replace: '',
    caughtBy: storm('kept', 1),
  },
  {
    rule: 'L12',
    change: 'a silent neighbour is not reported',
    file: 'ring/neighbour-watch.ts',
    find: "else this.complain(peer, 'silent');\n  }\n\n  /**\n   * A predecessor",
    replace: '}\n\n  /**\n   * A predecessor',
    caughtBy: storm('mishaps', 1),
  },
  {
    rule: 'L12',
    change: 'a silent link with a neighbour that is awake is not made anew',
    file: 'ring/neighbour-watch.ts',
    find: 'if (reply.ok && reply.isMember) this.#giveLastChance(about);',
    replace: '',
    caughtBy: test(
      'ring/links',
      'silence of a neighbour that the server finds awake ends the link',
    ),
  },
  {
    rule: 'L12',
    change: 'nobody asks for a sign of life',
    file: 'ring/link-watch.ts',
    find: 'link.isRoundTripOld) link.beat();',
    replace: 'link.isRoundTripOld) return;',
    caughtBy: storm('kept', 1),
  },
  {
    rule: 'L13',
    change: 'a neighbour without a connection is not asked about',
    file: 'ring/neighbour-watch.ts',
    find: 'if (!this.#owner.isMember() || !this.#edges.isNeighbour(peer)) return;\n    // A relayed',
    replace: 'return;\n    // A relayed',
    caughtBy: storm('crashes', 1),
  },
  {
    rule: 'L13',
    change: 'one neighbour alone turns a member out that has no connection',
    file: 'ring/room.ts',
    find: 'return !mayHear && [...words.values()]',
    replace: 'return mayHear || [...words.values()]',
    caughtBy: storm('kept', 5),
  },
  {
    rule: 'L14',
    change: 'a server without memory does not wait for those who were there',
    file: 'ring/broker.ts',
    find: 'const RECOVERY_PATIENCE = 5_000;',
    replace: 'const RECOVERY_PATIENCE = 0;',
    caughtBy: test(
      'ring/broker-places',
      'after the server has lost its memory newcomers wait until all are back',
    ),
  },
  {
    rule: 'L14',
    change: 'edges that both ends name do not come first',
    file: 'ring/recovery.ts',
    find: 'Number(b.isMutual) - Number(a.isMutual) || b.version - a.version',
    replace: 'b.version - a.version',
    caughtBy: test(
      'ring/recovery',
      'members of a true ring, some lost, the others back in any order, L14',
    ),
  },
  {
    rule: 'L15',
    change: 'a peer that has slept accuses its neighbours',
    file: 'ring/link-watch.ts',
    find: 'if (hasOverslept) link.forgive();\n    else if',
    replace: 'if',
    caughtBy: test('ring/links', 'silence while this peer itself was asleep accuses nobody'),
  },
  {
    rule: 'L16',
    change: 'frames that cannot be used are not counted',
    file: 'ring/ring-node.ts',
    find: "if (link.fault()) this.#watch.cutOff(link, 'too many frames that cannot be used');",
    replace: '',
    caughtBy: test('ring/links', 'a neighbour that violates the protocol as'),
  },
  {
    rule: 'L16',
    change: 'a message of one hop is taken from another than its origin',
    file: 'ring/intake.ts',
    find: 'return (hops === 1) !== (originOf(message) === from);',
    replace: 'return hops === 0 && originOf(message) === from;',
    caughtBy: test('ring/links', 'a neighbour that violates the protocol is not believed when'),
  },
  {
    rule: 'L16',
    change: 'a neighbour that floods is not cut off',
    file: 'ring/ring-node.ts',
    find: "this.#watch.cutOff(link, 'more frames than a neighbour sends');",
    replace: 'this.#noteDropped(link, "");',
    caughtBy: test('ring/links', 'a neighbour that violates the protocol is cut off when'),
  },
  {
    rule: 'L17',
    change: 'a term may leap',
    file: 'ring/intake.ts',
    find: "if (verdict === 'fine') act();\n    else if (verdict === 'leap')",
    replace: "if (verdict !== 'leap' || term > 0) act();\n    else if (verdict === 'leap')",
    caughtBy: test(
      'ring/ring-node-messages',
      'bad frames of a term that leaps are dropped: honest',
    ),
  },
  {
    rule: 'L18',
    change: 'nobody asks about a leader',
    file: 'ring/lookups.ts',
    find: 'if (followed !== null && this.#isInQuestion(followed)) this.#ask(followed);',
    replace: 'if (followed === null) this.#ask(leader);',
    caughtBy: test('ring/lookups', 'a leader that a small ring decides for'),
  },
  {
    rule: 'L19',
    change: 'a predecessor that passes nothing on is not found out',
    file: 'ring/neighbour-watch.ts',
    find: "this.cutOff(link, 'passes nothing on');",
    replace: 'return;',
    caughtBy: test(
      'ring/mute',
      'a predecessor that answers heartbeats and says nothing else for two minutes',
    ),
  },
  {
    rule: 'C4',
    change: 'a hop delay is not passed on',
    file: 'ring/ring-node.ts',
    find: "if (outlet !== null && outlet !== 'loopback') outlet.send(setting);",
    replace: 'if (outlet === null) return;',
    caughtBy: test('ring/ring-node-messages', 'the hop delay C4 is taken and passed on'),
  },
  {
    rule: 'C5',
    change: 'a lap overtakes what is held',
    file: 'ring/held-messages.ts',
    find: 'if (this.#queue.length === 0 && due <= now) {',
    replace: 'if (milliseconds === 0) {',
    caughtBy: test('ring/held-messages', 'C5: what a link holds is sent in order'),
  },
  {
    rule: 'C5',
    change: 'what is held leaves over the link in use by then',
    file: 'ring/election-runner.ts',
    find: 'const milliseconds = outlet.pass(message, extensions, delay, () => {',
    replace: `const milliseconds = delay;
    this.#owner.clock.after(delay, () => {
      const later = this.#owner.outlet();
      if (this.#hasStopped || later === null || later === 'loopback') return;
      later.send(message, extensions);`,
    caughtBy: test(
      'simulation/holding',
      'C5: a message that is held is on the link that it was decided for when a newcomer',
    ),
  },
  {
    rule: 'C5',
    change: 'what is held of a peer that is gone is sent',
    file: 'ring/election-runner.ts',
    find: 'if (state.removed !== before.removed) this.#discardOfDeparted();',
    replace: '',
    caughtBy: test(
      'simulation/holding',
      'C5: a message that is held is on the link that it was decided for what is of a peer',
    ),
  },
  {
    rule: 'C5',
    change: 'what is held is lost with a link that is given up for another',
    file: 'ring/neighbour-link.ts',
    find: "if (reason === 'relinked') this.#held.flush();",
    replace: "if (reason === 'relinked') this.#held.discard();",
    caughtBy: test('ring/rules', 'C5 what is held goes over its link'),
  },
  {
    rule: 'C5',
    change: 'waits do not grow with the hop delay',
    file: 'ring/patience.ts',
    find: 'return slownessOf(hopDelay, peers * 2 ** Math.min(this.#vainTerms, MOST_DOUBLINGS));',
    replace: 'return 0 * hopDelay * peers;',
    caughtBy: test('simulation/whole-ring', 'the hop delay C5 of 2000 ms makes one election slow'),
  },
  {
    rule: 'R4',
    change: 'nothing is told to a new successor',
    file: 'ring/ring-node.ts',
    find: "this.#election.step({ type: 'new-successor' });",
    replace: '',
    caughtBy: storm('crashes', 0),
  },
  {
    rule: 'R7',
    change: 'a peer without a way to its successor starts on time-out',
    file: 'ring/election-runner.ts',
    find: "const isCutOff = this.#state.role.name !== 'leader' && !this.#owner.leadsRound();",
    replace: 'const isCutOff = false;',
    caughtBy: test(
      'ring/rules',
      'R7: a peer that hears of no leader waits again where it has none',
    ),
  },
  {
    rule: 'R7',
    change: 'a peer that is still its own successor starts on time-out',
    file: 'ring/edges.ts',
    find: "if (this.#outlet === 'loopback') return this.#target === this.#owner.self;",
    replace: "if (this.#outlet === 'loopback') return true;",
    caughtBy: test('ring/rules', 'R7: a peer that hears of no leader waits again where it is'),
  },
  {
    rule: 'R7',
    change: 'every second lap is dropped',
    file: 'ring/intake.ts',
    find: 'else if (this.#takesIn(link, message))',
    replace:
      "else if (!(message.type === 'elected' && message.decision.lap % 2 === 1) && this.#takesIn(link, message))",
    caughtBy: storm('campaigns', 0),
  },
  {
    rule: 'R7',
    change: 'patience does not follow what a circuit takes',
    file: 'ring/patience.ts',
    find: 'return Math.max(doubled, 2 * peers * latency, this.#measured);',
    replace: 'return doubled;',
    caughtBy: test('simulation/slow-ring', 'R7: a ring with slow hops of 100 peers'),
  },
  {
    rule: 'L5',
    change: 'a peer that was alone goes on electing itself',
    file: 'ring/election-runner.ts',
    find: "if (message.type === 'claim' && !this.#owner.leadsRound()) return;",
    replace: '',
    caughtBy: test('ring/rules', 'L5 a peer that was alone elects itself no more'),
  },
  {
    rule: 'R9b',
    change: 'no era begins where a newcomer is the first to settle',
    file: 'ring/room.ts',
    find: 'if (!this.#ring.some(({ isSettled }) => isSettled)) this.#startEra();',
    replace: '',
    caughtBy: storm('clocks', 0),
  },
  {
    rule: 'R9b',
    change: 'an era begins whenever a member settles',
    file: 'ring/room.ts',
    find: 'if (!this.#ring.some(({ isSettled }) => isSettled)) this.#startEra();',
    replace: 'this.#startEra();',
    caughtBy: test('simulation/ring', 'R9 whom a neighbour has told the term'),
  },
  {
    rule: 'R9b',
    change: 'newcomers are told the era, and act in it',
    file: 'ring/room.ts',
    find: 'era: isSettled ? this.#era : null,',
    replace: 'era: this.#era,',
    caughtBy: storm('clocks', 0),
  },
  {
    rule: 'R9b',
    change: 'a member is told the term by peers that are not its predecessor',
    file: 'ring/election-runner.ts',
    find: 'if (!isOfRing || !tellsLeader(pending.input, state)) return;',
    replace: 'if (!tellsLeader(pending.input, state)) return;',
    caughtBy: test('ring/rules', 'R9b: a member is told nothing by a peer'),
  },
  {
    rule: 'R9c',
    change: 'the era that members bring is not exceeded',
    file: 'ring/room.ts',
    find: 'if (era !== null) this.#era = Math.max(this.#era, era + 1);',
    replace: '',
    caughtBy: test(
      'ring/recovery',
      'a room that recovers R9c is one of newcomers, and in an era after theirs',
    ),
  },
  {
    rule: 'L6',
    change: 'a direct link does not wait for the goodbye on the relayed one',
    file: 'ring/moved-link.ts',
    find: 'if (this.#owner.linkBefore(link) === null) {',
    replace: 'if (link.isOpen) {',
    caughtBy: test('ring/links', 'where no direct link comes up L6 what a predecessor sends'),
  },
  {
    rule: 'L5',
    change: 'a move from a relayed link to a direct one is a new successor',
    file: 'ring/edges.ts',
    find: 'if (!isMove) this.#owner.onSwitched();',
    replace: 'this.#owner.onSwitched();',
    caughtBy: test('ring/links', 'where no direct link comes up L5 a move from a relayed link'),
  },
  {
    rule: 'R7c',
    change: 'before a circuit is measured the latency of links does not count',
    file: 'ring/patience.ts',
    find: 'return Math.max(doubled, 2 * peers * latency, this.#measured);',
    replace: 'return Math.max(doubled, 0 * peers * latency, this.#measured);',
    caughtBy: test('simulation/slow-ring', 'R7: a ring with slow hops of 100 peers'),
  },
  {
    rule: 'R7d',
    change: 'what a circuit takes as measured does not count',
    file: 'ring/patience.ts',
    find: 'return Math.max(doubled, 2 * peers * latency, this.#measured);',
    replace: 'return Math.max(doubled, 2 * peers * latency);',
    caughtBy: test('ring/patience', 'R7'),
  },
  {
    rule: 'R7e',
    change: 'the size of the room, as the server tells it, does not count',
    file: 'ring/election-runner.ts',
    find: 'Math.max(told + ROOM_TO_GROW, room, LEAST_RING)',
    replace: 'Math.max(told + ROOM_TO_GROW, LEAST_RING)',
    caughtBy: test('simulation/slow-ring', 'R7: a ring with slow hops'),
  },
  {
    rule: 'R7e',
    change: 'an announcement may say any size',
    file: 'ring/election-runner.ts',
    find: 'LEAST_RING), mostMembers(room));',
    replace: 'LEAST_RING), Infinity);',
    caughtBy: test(
      'ring/ring-node-messages',
      'the hop delay C5 adds to a wait what the room can take',
    ),
  },
  {
    rule: 'L9',
    change: 'offers that were lost with the connection are waited for',
    file: 'ring/ring-node.ts',
    find: 'this.#edges.successor.forgetAttempts();',
    replace: '',
    caughtBy: test('ring/rules', 'L9: a member that returns offers anew'),
  },
  {
    rule: 'L11',
    change: 'a relayed link is offered late on a device that knows nothing yet',
    file: 'ring/direct-links.ts',
    find: 'return RELAY_SOON;',
    replace: 'return RELAY_LATE;',
    caughtBy: test('ring/rules', 'L11 a device that has made no direct link yet'),
  },
  {
    rule: 'L11',
    change: 'a device does not learn that direct links fail',
    file: 'ring/direct-links.ts',
    find: "this.#lastAttempt = 'failed';",
    replace: '',
    caughtBy: test('ring/links', 'where no direct link comes up L11'),
  },
];
