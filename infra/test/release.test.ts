import assert from 'node:assert/strict';
import { it } from 'node:test';
import { unzipSync } from 'fflate';
import { onlyBuilt } from '../commands/sbom.ts';
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

it('an SBOM has what its package is built of, and nothing that tests alone ask for', () => {
  const crate = (name: string, version = '1.0.0') => ({
    'bom-ref': `registry#${name}@${version}`,
    name,
    version,
    licenses: ['Apache-2.0'],
  });
  const [step, sdk, mocks, old, under, other] = [
    crate('step'),
    crate('sdk'),
    crate('mocks'),
    crate('sdk', '0.9.0'),
    crate('under'),
    crate('other'),
  ] as const;
  const edge = (from: object & { 'bom-ref': string }, ...to: { 'bom-ref': string }[]) => ({
    ref: from['bom-ref'],
    dependsOn: to.map((each) => each['bom-ref']),
  });
  const sbom = {
    bomFormat: 'CycloneDX',
    metadata: { component: step },
    components: [sdk, mocks, old, under, other],
    dependencies: [
      edge(step, sdk),
      edge(sdk, mocks, old, under),
      edge(mocks, other),
      edge(under, sdk),
      edge(other),
    ],
  };
  // `other` is of another function's packages, where no test has to ask for it.
  const tree = 'step v1.0.0 (/cordon/functions/step)\nsdk v1.0.0\nunder v1.0.0 (*)\nother v1.0.0\n';
  assert.deepEqual(onlyBuilt(sbom, tree), {
    bomFormat: 'CycloneDX',
    metadata: { component: step },
    components: [sdk, under],
    dependencies: [edge(step, sdk), edge(sdk, under), edge(under, sdk)],
  });
});
