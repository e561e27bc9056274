/** What a bad disk, a bad copy or a hasty hand does to files. */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of a folder and those below it whose names match, in name order. */
export function filesIn(directory: string, name: RegExp): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** A change to one file; false when the file is too small for it. */
export type Damage = (file: string) => boolean;

/** Flips the bits of `count` bytes at a share of the file. */
export const flip =
  (share: number, count = 1): Damage =>
  (file) => {
    const bytes = readFileSync(file);
    const from = Math.floor(bytes.length * share);
    if (bytes.length === 0) return false;
    for (let at = from; at < Math.min(from + count, bytes.length); at++) bytes[at] = bytes[at]! ^ 0xff;
    writeFileSync(file, bytes);
    return true;
  };

/** Flips a bit of the byte at this offset. */
export const flipBit =
  (at: number): Damage =>
  (file) => {
    const bytes = readFileSync(file);
    if (at >= bytes.length) return false;
    bytes[at]! ^= 1;
    writeFileSync(file, bytes);
    return true;
  };

/** Flips a bit of the first place where the file holds this text. */
export const flipText =
  (text: string): Damage =>
  (file) => {
    const at = readFileSync(file).indexOf(text);
    return at >= 0 && flipBit(at + 1)(file);
  };

export const cutTo =
  (share: number): Damage =>
  (file) => {
    const { length } = readFileSync(file);
    truncateSync(file, Math.floor(length * share));
    return length > 0;
  };

export const removed: Damage = (file) => {
  rmSync(file);
  return true;
};
