/** Reading and writing of big-endian fields (network byte order, RFC 1700). */
import { hyphenated, parsePeerId, type PeerId } from './ids.ts';

/** Collects a frame; the caller decides the size of each field. */
export class ByteWriter {
  readonly #bytes: number[] = [];

  u8(value: number): this {
    this.#bytes.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value);
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value & 0xffff);
  }

  id(id: PeerId): this {
    const hex = id.replaceAll('-', '');
    for (let i = 0; i < hex.length; i += 2) this.u8(Number.parseInt(hex.slice(i, i + 2), 16));
    return this;
  }

  bytes(bytes: Uint8Array): this {
    for (const byte of bytes) this.u8(byte);
    return this;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Thrown in words by what reads a frame, and caught by its parser. */
export class InvalidFrame extends Error {}

/** Reads a frame from front to back. Every read throws {@link InvalidFrame} past the end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#pass(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#pass(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#pass(4));
  }

  id(): PeerId {
    const hex = Array.from(this.bytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('');
    const parsed = parsePeerId(hyphenated(hex));
    if (!parsed.ok) throw new InvalidFrame(parsed.error);
    return parsed.value;
  }

  bytes(length: number): Uint8Array {
    const at = this.#pass(length);
    return this.#bytes.slice(at, at + length);
  }

  /** Where the bytes begin that it goes past. */
  #pass(length: number): number {
    const { length: whole } = this.#bytes;
    if (length > this.remaining) throw new InvalidFrame(`truncated after ${whole} bytes`);
    this.#at += length;
    return this.#at - length;
  }
}
