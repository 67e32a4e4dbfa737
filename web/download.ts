/**
 * Makes the browser save a text as a file.
 * @param name of the file
 */
export function download(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  });
}
