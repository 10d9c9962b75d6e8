import { zipSync } from 'fflate';

/** A program that all may run, as Unix has it. */
const EXECUTABLE = 0o100755;
const UNIX = 3;

/** A function's package: the same bytes for the same binary, at any time and in any place. */
export function zipped(bootstrap: Uint8Array): Uint8Array {
  // The first time that a zip file knows, which it knows by the clock on the wall.
  const mtime = new Date(1980, 0, 1);
  const entry = { level: 9, mtime, os: UNIX, attrs: (EXECUTABLE << 16) >>> 0 } as const;
  return zipSync({ bootstrap: [bootstrap, entry] });
}
