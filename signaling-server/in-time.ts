/** Answers that others may take too long to give. */

/**
 * Waits for an answer.
 * @param patience in milliseconds
 * @throws Error where it does not come in time; else as the answer does
 */
export async function inTime<T>(answer: Promise<T>, patience: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${patience} ms`));
    }, patience);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
