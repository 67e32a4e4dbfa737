/** The command `ringleader`. */
import { token } from './token.ts';

/** What the command can do, by the first argument. Each returns the status to end with. */
const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = { token };

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (command === undefined) {
  console.error(`usage: ringleader ${Object.keys(COMMANDS).join('|')} …`);
  process.exitCode = 2;
} else process.exitCode = await command(args);
