/** Text of strangers, for logs, files and terminals. */

/**
 * What a terminal may take for a command, or what shows text in another order than it is in: the controls of
 * C0 and C1, the separators of lines, and those of writing directions.
 */
const CONTROLS =
  // eslint-disable-next-line no-control-regex -- These are what it is about.
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The text with its control characters written as JSON writes them, such as `\u001b`. */
export function printable(text: string): string {
  return text.replace(
    CONTROLS,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
