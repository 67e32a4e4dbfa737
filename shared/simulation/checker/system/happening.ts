import type { Input } from '../../../member/turn.ts';

/** An input to a member; `due` is the index of the due time that has come. */
export type Happening =
  Exclude<Input, { type: 'time' }> | { readonly type: 'time'; readonly due: number };
