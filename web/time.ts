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

/** How long something has lasted, in everyday words: with seconds only while they matter. */
export function lasting(milliseconds: number): string {
  const seconds = Math.floor(Math.max(0, milliseconds) / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
