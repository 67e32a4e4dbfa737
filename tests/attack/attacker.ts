/**
 * A process of attackers: `node attacker.js ATTACK PORT`. It prints a mark for each attempt, and another
 * for each that has had its effect.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '../chaos/own-process.ts';
import { ATTACKS, EFFECT, STRIKE } from './attacks.ts';

/**
 * Milliseconds between two attempts of an attacker. Without a pause, new connections alone keep a server
 * busy; this test does not judge how many one address may have.
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
