import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ConfigurationError, parseConfiguration, readConfiguration } from '../lib/config.ts';
import { CONFIGURATION, folder } from './fixture.ts';

function refuses(changes: Readonly<Record<string, unknown>>, message: string): void {
  assert.throws(
    () => parseConfiguration({ ...CONFIGURATION, ...changes }, '/'),
    new ConfigurationError(message),
  );
}

describe('the configuration', () => {
  it('is read from its file', () => {
    const root = folder({ 'config.json': CONFIGURATION });
    assert.deepEqual(readConfiguration(join(root, 'config.json')), {
      ...CONFIGURATION,
      partition: 'aws',
      architecture: 'arm64',
      findings: 'cspm',
    });
  });

  it('names folders relative to its own', () => {
    const root = folder({ 'config.json': { ...CONFIGURATION, binaries: 'target/lambda' } });
    const { binaries } = readConfiguration(join(root, 'config.json'));
    assert.equal(binaries, join(root, 'target', 'lambda'));
  });

  it('has defaults for what few change', () => {
    const {
      protectedPrincipals,
      evidenceRetentionDays,
      responsePolicy,
      customAction,
      ...required
    } = CONFIGURATION;
    assert.deepEqual(parseConfiguration(required, '/'), {
      ...required,
      partition: 'aws',
      architecture: 'arm64',
      findings: 'cspm',
      protectedPrincipals: [],
      evidenceRetentionDays: 365,
      responsePolicy: {},
      customAction: 'CordonContain',
    });
  });

  it('takes trusted products with and without their finding types', () => {
    const responsePolicy = {
      trustedProducts: ['p', { product: 'q' }, { product: 'r', contain: ['a'], escalate: ['b'] }],
    };
    const read = parseConfiguration({ ...CONFIGURATION, responsePolicy }, '/');
    assert.deepEqual(read.responsePolicy, responsePolicy);
  });

  it('finds the partition by the Region', () => {
    const partitions = ['us-east-1', 'cn-north-1', 'us-gov-west-1'].map(
      (region) => parseConfiguration({ ...CONFIGURATION, region }, '/').partition,
    );
    assert.deepEqual(partitions, ['aws', 'aws-cn', 'aws-us-gov']);
  });

  it('must be named', () => {
    assert.throws(
      () => readConfiguration(undefined),
      new ConfigurationError('no configuration file: name it with `-c config=<file>`'),
    );
  });

  it('must be there', () => {
    assert.throws(() => readConfiguration('/nowhere/config.json'), {
      name: 'ConfigurationError',
      message: 'cannot read `/nowhere/config.json`',
    });
  });

  it('must be JSON', () => {
    const path = join(folder({ 'config.json': '{' }), 'config.json');
    assert.throws(() => readConfiguration(path), {
      name: 'ConfigurationError',
      message: `\`${path}\` is not JSON`,
    });
  });

  it('must be an object', () => {
    assert.throws(
      () => parseConfiguration([], '/'),
      new ConfigurationError('the configuration is no JSON object: `[]`'),
    );
  });

  it('refuses what it does not know', () => {
    refuses({ regoin: 'x' }, 'unknown key `regoin`');
    refuses(
      { responders: [{ protocol: 'email', endpoint: 'a@example.com', name: 'a' }] },
      'unknown key `name` of a subscriber',
    );
  });

  it('has subscribers choose by the attributes of messages', () => {
    const filterPolicy = { severity: ['CRITICAL'], verdict: [{ 'anything-but': ['retired'] }] };
    const responders = [{ protocol: 'sms', endpoint: '+15555550100', filterPolicy }];
    assert.deepEqual(
      parseConfiguration({ ...CONFIGURATION, responders }, '/').responders,
      responders,
    );
    const choosing = (filterPolicy: unknown): Record<string, unknown> => ({
      responders: [{ protocol: 'sms', endpoint: '+15555550100', filterPolicy }],
    });
    refuses(choosing({ region: ['a'] }), 'no message has the attribute `region`');
    refuses(choosing({}), "a subscriber's `filterPolicy` names no attribute");
    refuses(
      choosing({ severity: 'HIGH' }),
      '`severity` of a `filterPolicy` is no list of values: `"HIGH"`',
    );
    refuses(choosing([]), "a subscriber's `filterPolicy` is no JSON object: `[]`");
  });

  it('refuses what is missing', () => {
    refuses(
      { securityAccount: undefined },
      '`securityAccount` is not an account id: it is missing',
    );
    refuses({ responders: undefined }, '`responders` is no list: it is missing');
  });

  it('refuses what AWS would refuse', () => {
    refuses({ securityAccount: '1' }, '`securityAccount` is not an account id: `"1"`');
    refuses({ region: 'Ireland' }, '`region` is not a Region: `"Ireland"`');
    refuses({ region: 'us-iso-east-1' }, '`region` is in no supported partition: `us-iso-east-1`');
    refuses({ organizationId: 'r-1' }, '`organizationId` is not an organization id: `"r-1"`');
    refuses({ externalId: '?' }, '`externalId` is not an external id as STS accepts it: `"?"`');
    refuses({ binaries: 1 }, '`binaries` is not a folder: `1`');
    refuses({ architecture: 'mips' }, '`architecture` is not arm64 or x86_64: `"mips"`');
    refuses({ findings: 'both' }, '`findings` is not cspm or v2: `"both"`');
    refuses(
      { operations: [{ protocol: 'http', endpoint: 'http://ops.example.com' }] },
      'a subscriber\'s `protocol` is unknown: `"http"`',
    );
    refuses(
      { operations: [{ protocol: 'sqs', endpoint: '' }] },
      'a subscriber has no `endpoint`: `{"protocol":"sqs","endpoint":""}`',
    );
    refuses(
      { protectedPrincipals: ['break-glass'] },
      '`protectedPrincipals` has something else than the ARN of a user or role: `"break-glass"`',
    );
    refuses(
      { evidenceRetentionDays: 0 },
      '`evidenceRetentionDays` is no whole number from 1 to 36500: `0`',
    );
    refuses({ responsePolicy: 'off' }, '`responsePolicy` is no JSON object: `"off"`');
    for (const [trustedProducts, message] of [
      ['p', '`trustedProducts` is no list: `"p"`'],
      [[7], 'an entry of `trustedProducts` is no JSON object: `7`'],
      [[{ contain: [] }], 'a trusted product has no `product`: `{"contain":[]}`'],
      [
        [{ product: 'p', contain: 'TTPs/*' }],
        '`contain` of a trusted product is no list of finding types: `"TTPs/*"`',
      ],
      [
        [{ product: 'p', escalate: [null] }],
        '`escalate` of a trusted product is no list of finding types: `[null]`',
      ],
      [[{ product: 'p', contains: [] }], 'unknown key `contains` of a trusted product'],
    ] as const) {
      refuses({ responsePolicy: { trustedProducts } }, message);
    }
    refuses(
      { customAction: 'custom/Contain' },
      '`customAction` is not a custom action id of up to 20 letters and digits: `"custom/Contain"`',
    );
  });
});
