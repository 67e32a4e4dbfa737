/**
 * A process of attackers: `node attacker.js ATTACK PORT`. It prints a mark for each attempt, and another
 * for each that has had its effect.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '../chaos/own-process.ts';
import { ATTACKS, EFFECT, STRIKE } from './attacks.ts';
import { addressOf } from './strangers.ts';

/** Milliseconds between two attempts of an attacker. Without a pause, new connections alone keep a server busy. */
const GAP = 50;

const [, , name = '', port = ''] = process.argv;
const attack = ATTACKS[name];
if (attack === undefined) throw new Error(`there is no attack ${name}`);
const { strangers, blow, isFromOne = false } = attack;

/** Of an attack from one address: what an attack before it has used up is not there for this one. */
const own = 220 + Object.keys(ATTACKS).indexOf(name);

async function strike(from: string): Promise<never> {
  for (;;) {
    console.log(STRIKE);
    let isFirst = true;
    await blow({ port: Number(port), from }, () => {
      if (isFirst) console.log(EFFECT);
      isFirst = false;
    });
    await pause(GAP);
  }
}

// Ends with the driver, which asks it nothing.
listen(() => undefined);
await Promise.all(
  Array.from({ length: strangers }, (_, at) => strike(addressOf(isFromOne ? own : at))),
);
