/** The directory of shared/instances/directory.ts in Redis. */
import type { Redis } from 'ioredis';
import * as v from 'valibot';
import {
  ERAS_PER_GRANT,
  LEASE_LASTS,
  RECORD_LASTS,
  type Answer,
  type Question,
} from '../shared/instances/directory.ts';
import type { RoomName } from '../shared/protocol/ids.ts';
import { CLAIM, DRAIN, RELEASE, RENEW } from './redis-scripts.ts';

/** All keys begin with it. The braces keep them together where Redis is a cluster. */
export const PREFIX = '{ringleader}:';

const LEASES = `${PREFIX}leases`;
const ERA = `${PREFIX}era`;

const number = v.pipe(v.string(), v.transform(Number), v.safeInteger());

const AnswerSchema = v.variant('type', [
  v.object({ type: v.literal('renewed'), rest: v.array(v.string()) }),
  v.object({ type: v.literal('granted'), rest: v.tuple([number, v.picklist(['0', '1'])]) }),
  v.object({ type: v.literal('held'), rest: v.tuple([v.string()]) }),
  v.object({ type: v.picklist(['unknown', 'done']), rest: v.tuple([]) }),
]);

/** A script, its keys and its arguments. */
interface Call {
  readonly script: string;
  readonly keys: readonly string[];
  readonly parameters: readonly (string | number)[];
}

export class RedisDirectory {
  readonly #redis: Redis;
  readonly #leaseLasts: number;

  /** @param leaseLasts in milliseconds */
  constructor(redis: Redis, leaseLasts = LEASE_LASTS) {
    this.#redis = redis;
    this.#leaseLasts = leaseLasts;
  }

  /** @throws Error where Redis cannot be reached, or does not answer in time */
  async ask(question: Question): Promise<Answer> {
    const { script, keys, parameters } = this.#callFor(question);
    const said = await this.#redis.eval(script, keys.length, ...keys, ...parameters);
    const [type, ...rest] = v.parse(v.array(v.string()), said);
    const answer = v.parse(AnswerSchema, { type, rest });
    switch (answer.type) {
      case 'renewed':
        return { type: 'renewed', lasts: this.#leaseLasts, live: answer.rest };
      case 'granted': {
        const [era, isLost] = answer.rest;
        return { type: 'granted', era, isLost: isLost === '1' };
      }
      case 'held':
        return { type: 'held', by: answer.rest[0] };
      case 'unknown':
      case 'done':
        return { type: answer.type };
    }
  }

  #callFor(question: Question): Call {
    const { self } = question;
    switch (question.type) {
      case 'renew': {
        const { isNew, era, keep } = question;
        return {
          script: RENEW,
          keys: [LEASES, ERA, ...keep.map(keyOf)],
          parameters: [self, this.#leaseLasts, isNew ? '1' : '0', era, RECORD_LASTS],
        };
      }
      case 'claim': {
        const { room, era } = question;
        return {
          script: CLAIM,
          keys: [LEASES, ERA, keyOf(room)],
          parameters: [self, this.#leaseLasts, era, ERAS_PER_GRANT, RECORD_LASTS],
        };
      }
      case 'release':
        return { script: RELEASE, keys: [keyOf(question.room)], parameters: [self] };
      case 'drain':
        return { script: DRAIN, keys: [LEASES], parameters: [self] };
    }
  }
}

function keyOf(room: RoomName): string {
  return `${PREFIX}room:${room}`;
}
