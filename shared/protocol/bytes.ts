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

/** Thrown by {@link ByteReader} and caught by the frame parser: the frame ends too early. */
export class Truncated extends Error {}

/** Reads a frame from front to back. Every read throws {@link Truncated} past the end. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Truncated();
    this.#at += 1;
    return byte;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  id(): PeerId {
    const hex = Array.from(this.bytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('');
    const parsed = parsePeerId(hyphenated(hex));
    if (!parsed.ok) throw new Truncated(parsed.error);
    return parsed.value;
  }

  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw new Truncated();
    const bytes = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }
}
