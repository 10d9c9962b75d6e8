import assert from 'node:assert/strict';
import { it } from 'node:test';
import { unzipSync } from 'fflate';
import { zipped } from '../commands/zipped.ts';

it('packages are the same bytes in any place, and hold what Lambda may run', () => {
  const binary = Buffer.from('a binary '.repeat(1_000));
  const zip = Buffer.from(zipped(binary));
  process.env['TZ'] = 'Asia/Kathmandu';
  assert.deepEqual(Buffer.from(zipped(binary)), zip);
  assert.deepEqual(Buffer.from(unzipSync(zip)['bootstrap'] ?? []), binary);
  // The entry of the central directory (.ZIP File Format Specification, 4.3.12).
  const entry = zip.subarray(zip.indexOf(Buffer.from('PK\x01\x02', 'latin1')));
  assert.equal(entry.readUInt32LE(12), 0x0021_0000, 'the time is not the first');
  assert.equal(entry.readUInt8(5), 3, 'it is not of Unix');
  assert.equal((entry.readUInt32LE(38) >>> 16).toString(8), '100755');
});
