/** The ring members and the broker with one rule changed at a time, and what catches each. */
import { BROKER_MUTANTS } from './broker.mjs';
import { ELECTION_MUTANTS } from './election.mjs';
import { INSTANCE_MUTANTS } from './instances.mjs';
import { MEMBER_MUTANTS } from './member.mjs';

/** @type {readonly import('./mutant.mjs').Mutant[]} */
export const MUTANTS = [
  ...MEMBER_MUTANTS,
  ...BROKER_MUTANTS,
  ...INSTANCE_MUTANTS,
  ...ELECTION_MUTANTS,
];
