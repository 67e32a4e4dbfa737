/** Times in text. By hand, as Intl takes longer to load than the rest of the page. */

const digits = (number: number, count = 2) => String(number).padStart(count, '0');

/**
 * The time of day here, to the millisecond.
 * @param at Unix time in milliseconds
 */
export function timeOfDay(at: number): string {
  const date = new Date(at);
  const seconds = `${digits(date.getSeconds())}.${digits(date.getMilliseconds(), 3)}`;
  return `${digits(date.getHours())}:${digits(date.getMinutes())}:${seconds}`;
}
