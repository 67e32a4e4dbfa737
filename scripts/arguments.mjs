/** The arguments of a command that passes them on, each in its own form. */
import { parseArgs } from 'node:util';

/**
 * Reads `--NAME VALUE` pairs. An unknown name or an invalid value ends this script with status 2.
 * @param {Record<string, RegExp>} forms of the values, by name
 * @param {string[]} [given] by default those of this process
 * @returns {Record<string, string>} those that are given
 */
export function readArguments(forms, given = process.argv.slice(2)) {
  try {
    const { values } = parseArgs({
      args: given,
      options: Object.fromEntries(Object.keys(forms).map((name) => [name, { type: 'string' }])),
    });
    for (const [name, value] of Object.entries(values))
      if (!forms[name].test(value)) throw new Error(`--${name} cannot be ${value}`);
    return values;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}
