// Bytes for people: hexadecimal in and out, sizes, times.

const encoder = new TextEncoder();

// keepMax bounds what the log keeps of one payload: thousands of entries of a
// megabyte each would take the browser's memory.
export const keepMax = 2048;

// keepText returns the size of a text in bytes and what is kept of it. The
// kept part is decoded anew: a slice of a string holds the whole of it.
export function keepText(text) {
  const bytes = encoder.encode(text);
  if (bytes.length <= keepMax) {
    return {size: bytes.length, kept: text};
  }
  // Streaming leaves out a character that the cut has split.
  const kept = new TextDecoder().decode(bytes.subarray(0, keepMax), {stream: true});
  return {size: bytes.length, kept};
}

// keepBytes is the same for an ArrayBuffer or a view of one.
export function keepBytes(data) {
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  return {size: bytes.length, kept: bytes.slice(0, keepMax)};
}

// parseHex reads bytes from text as people paste it: digits in pairs, with any
// white space, commas, colons or 0x between them. It throws on anything else.
export function parseHex(text) {
  const digits = text.replace(/0x/gi, " ").replace(/[\s,:;-]+/g, "");
  const wrong = /[^0-9a-f]/i.exec(digits);
  if (wrong) {
    throw new Error(`“${wrong[0]}” is not a hexadecimal digit.`);
  }
  if (digits.length % 2 === 1) {
    throw new Error("A byte is two digits: one is missing.");
  }
  return Uint8Array.from({length: digits.length / 2}, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

export function hex(bytes) {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
}

// dump lays bytes out in lines: offset, bytes, and what is printable of them.
export function dump(bytes, lineWidth) {
  const width = Math.min(lineWidth, bytes.length);
  const lines = [];
  for (let at = 0; at < bytes.length; at += width) {
    const part = bytes.subarray(at, at + width);
    const readable = Array.from(part, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex(part).padEnd(3 * width - 1)}  ${readable}`);
  }
  return lines.join("\n");
}

// toBytes are the bytes of what an entry keeps.
export function toBytes(kept) {
  return typeof kept === "string" ? encoder.encode(kept) : kept;
}

// size is a number of bytes in the unit that suits it.
export function size(n) {
  if (n < 1024) {
    return `${n} B`;
  }
  const [unit, by] = n < 1024 ** 2 ? ["KiB", 1024] : n < 1024 ** 3 ? ["MiB", 1024 ** 2] : ["GiB", 1024 ** 3];
  return `${(n / by).toFixed(1)} ${unit}`;
}

// digits is a number of milliseconds with the three digits that matter.
export function digits(ms) {
  return ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : String(Math.round(ms));
}

export function millis(ms) {
  return `${digits(ms)} ms`;
}

// clock is the local time of day, to the millisecond.
export function clock(at) {
  const two = (n) => String(n).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}
