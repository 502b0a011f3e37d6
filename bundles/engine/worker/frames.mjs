// Messages over a pipe: four bytes of length, little-endian, then JSON in UTF-8.

import { writeSync } from 'node:fs';

const HEAD = 4;

/**
 * The messages of a stream, until it ends.
 * @param {AsyncIterable<Buffer>} stream
 */
export async function* frames(stream) {
  /** @type {Buffer[]} */
  let parts = [];
  let held = 0;
  for await (const part of stream) {
    parts.push(part);
    held += part.length;
    while (held >= HEAD) {
      if (parts[0].length < HEAD) parts = [Buffer.concat(parts)];
      const size = HEAD + parts[0].readUInt32LE(0);
      if (held < size) break;
      const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      yield JSON.parse(whole.toString('utf8', HEAD, size));
      parts = [whole.subarray(size)];
      held -= size;
    }
  }
}

/** @param {object} message */
export function send(message) {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(HEAD);
  head.writeUInt32LE(body.length);
  write(Buffer.concat([head, body]));
}

/** The owner reads all the time, so a full pipe empties soon. @param {Buffer} bytes */
function write(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') process.exit(0); // nobody listens any more
    }
  }
}
