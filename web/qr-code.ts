/** A link as a QR code. */
import { encode } from 'uqr';

export interface QrCode {
  /** Length of a side, in squares. */
  readonly size: number;
  /** One SVG path of the dark squares, each one unit wide. */
  readonly path: string;
}

/** @param border of light squares around it */
export function qrCodeOf(link: string, border: number): QrCode {
  const { data, size } = encode(link, { border });
  const squares = data.flatMap((row, y) =>
    row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])),
  );
  return { size, path: squares.join('') };
}
