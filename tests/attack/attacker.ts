/**
 * A process of strangers: `node attacker.js ATTACK PORT`. It prints a
 * mark for each time that they strike, and another for each that has had its effect.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '../chaos/own-process.ts';
import { ATTACKS, EFFECT, STRIKE } from './attacks.ts';

/**
 * Milliseconds from one strike of a stranger to its next. Without end and without a pause, connections
 * alone keep a server busy; how many one address may have is not for this to judge.
 */
const GAP = 50;

const [, , name = '', port = ''] = process.argv;
const attack = ATTACKS[name];
if (attack === undefined) throw new Error(`there is no attack ${name}`);
const { strangers, blow } = attack;

async function strike(): Promise<never> {
  for (;;) {
    console.log(STRIKE);
    let isFirst = true;
    await blow(Number(port), () => {
      if (isFirst) console.log(EFFECT);
      isFirst = false;
    });
    await pause(GAP);
  }
}

// Ends with the driver, which asks it nothing.
listen(() => undefined);
await Promise.all(Array.from({ length: strangers }, strike));
