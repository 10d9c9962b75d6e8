import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import {
  type Configuration,
  ConfigurationError,
  parseConfiguration,
  readConfiguration,
} from '../lib/config.ts';
import { doubts, EXAMPLE_EXTERNAL_ID } from '../lib/config-rules.ts';
import { line } from '../lib/schema.ts';
import { toldPrincipals } from '../lib/told-principals.ts';
import { CONFIGURATION, folder } from './fixture.ts';

/** A configuration that differs from the fixture's, and each line that is said of it. */
interface Case {
  readonly for: string;
  /** The fields that differ; those that are null are left out. */
  readonly with: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
}

const { wrong, doubtful } = JSON.parse(
  readFileSync(new URL('configurations.json', import.meta.url), 'utf8'),
) as Readonly<Record<'wrong' | 'doubtful', readonly Case[]>>;

/** The very cases of the function's own reader. */
const POLICIES = JSON.parse(
  readFileSync(
    new URL('../../functions/incident/cases/response-policy.json', import.meta.url),
    'utf8',
  ),
) as readonly { for: string; policy: object; wrong?: string }[];

const SCHEMA = JSON.parse(
  readFileSync(new URL('../cordon.schema.json', import.meta.url), 'utf8'),
) as { properties: Record<string, { enum?: unknown }> };

function documentOf({ with: changes }: Case): object {
  const fields = Object.entries({ ...CONFIGURATION, ...changes });
  return Object.fromEntries(fields.filter(([, value]) => value !== null));
}

/** Runs a command of `bin/`, with CDK's context, as CDK hands it to its app. */
function run(command: readonly string[], context: object = {}) {
  return spawnSync(process.execPath, ['--import', 'tsx', ...command], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
    env: { ...process.env, CDK_CONTEXT_JSON: JSON.stringify(context) },
  });
}

const DEFAULTS = {
  partition: 'aws',
  architecture: 'arm64',
  findings: 'cspm',
  operators: [],
  restoreGroups: false,
  evidenceLock: 'governance',
  logRetentionDays: 365,
  tags: {},
  securityAccountUsers: false,
  profiles: {},
};

describe('the configuration', () => {
  it('is read from its file', () => {
    const root = folder({ 'config.json': { $schema: 'cordon.schema.json', ...CONFIGURATION } });
    assert.deepEqual(readConfiguration(join(root, 'config.json')), {
      ...CONFIGURATION,
      ...DEFAULTS,
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
      ...DEFAULTS,
      protectedPrincipals: [],
      evidenceRetentionDays: 365,
      responsePolicy: {},
      customAction: 'CordonContain',
    });
  });

  it('may say all that its schema knows', () => {
    const optional = {
      operators: ['arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/*'],
      restorers: [
        'arn:aws:iam::111111111111:user/people/ann',
        'arn:aws:iam::999999999999:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_A_1',
      ],
      restoreGroups: true,
      evidenceLock: 'compliance',
      logRetentionDays: 30,
      tags: { 'cost centre': '4711', Größe: '' },
      permissionsBoundary: 'boundaries/Cordon',
      organizationalUnits: ['ou-a1b2-c3d4e5f6', 'r-1a2b'],
      managementAccount: '999999999999',
      securityAccountUsers: true,
      profiles: { '111111111111': 'security' },
    } as const;
    const read: Configuration = parseConfiguration({ ...CONFIGURATION, ...optional }, '/');
    assert.deepEqual(read, { ...CONFIGURATION, ...DEFAULTS, ...optional });
    const { partition: _, ...said } = read;
    assert.deepEqual(
      Object.keys(said).sort(),
      Object.keys(SCHEMA.properties)
        .filter((name) => name !== '$schema')
        .sort(),
    );
  });

  it('knows the days for which CloudWatch Logs keeps logs', () => {
    const days = Object.values(RetentionDays).filter((days) => typeof days === 'number');
    assert.deepEqual(
      SCHEMA.properties['logRetentionDays']?.enum,
      days.filter((days) => days !== RetentionDays.INFINITE).sort((a, b) => a - b),
    );
  });

  it('takes endpoints as their protocols do', () => {
    const subscribers = [
      ['email', 'on-call@cordon.test'],
      ['email-json', 'on-call+json@cordon.test'],
      ['sms', '+15555550100'],
      ['https', 'https://cordon.test/hook?token=1'],
      ['sqs', 'arn:aws:sqs:eu-west-1:111111111111:incidents'],
      ['lambda', 'arn:aws:lambda:eu-west-1:111111111111:function:incidents:live'],
      ['application', 'arn:aws:sns:eu-west-1:111111111111:endpoint/APNS/on-call/1'],
    ].map(([protocol, endpoint]) => ({ protocol, endpoint }));
    const read = parseConfiguration({ ...CONFIGURATION, responders: subscribers }, '/');
    assert.deepEqual(read.responders, subscribers);
  });

  it('has subscribers choose by the attributes of messages', () => {
    const filterPolicy = { severity: ['CRITICAL'], verdict: [{ 'anything-but': ['retired'] }] };
    const responders = [{ protocol: 'sms', endpoint: '+15555550100', filterPolicy }];
    assert.deepEqual(
      parseConfiguration({ ...CONFIGURATION, responders }, '/').responders,
      responders,
    );
  });

  it('finds the partition by the Region', () => {
    const partitions = ['us-east-1', 'cn-north-1', 'us-gov-west-1'].map(
      (region) =>
        parseConfiguration({ ...CONFIGURATION, region, protectedPrincipals: [] }, '/').partition,
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

  for (const [text, where] of [
    ['{\n  "region":\n}\n', ''],
    ['{\n  "region": "eu-west-1"\n  "binaries": "b"\n}\n', ', in line 3'],
  ] as const) {
    it(`must be JSON, and says in one line where it is not${where}`, () => {
      const path = join(folder({ 'config.json': text }), 'config.json');
      assert.throws(
        () => readConfiguration(path),
        ({ name, message }: Error) => {
          assert.equal(name, 'ConfigurationError');
          assert.match(message, new RegExp(`^\`.+config\\.json\` is not JSON${where}: .+$`));
          return true;
        },
      );
    });
  }

  it('must be an object', () => {
    assert.throws(
      () => parseConfiguration([], '/'),
      new ConfigurationError(
        'the configuration is `[]`: write a JSON object, as infra/README.md has one',
      ),
    );
  });

  it('in the README is right, with the external id that is warned of', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const example = readme.split('```json\n')[1]?.split('```')[0] ?? '';
    assert.equal(parseConfiguration(JSON.parse(example), '/').externalId, EXAMPLE_EXTERNAL_ID);
  });
});

describe('what is wrong is refused, a line for each mistake', () => {
  for (const wrongly of wrong) {
    it(wrongly.for, () => {
      assert.throws(
        () => parseConfiguration(documentOf(wrongly), '/'),
        new ConfigurationError(wrongly.lines.join('\n')),
      );
    });
  }
});

describe('the commands', () => {
  const [example] = doubtful;
  const many = wrong.find(({ lines }) => lines.length > 1);
  assert.ok(many && example);
  const place = "an engineer's";
  const root = folder({
    [`${place}/wrong.json`]: documentOf(many),
    'doubtful.json': documentOf(example),
  });

  it('say what is wrong and nothing else, and fail', () => {
    const config = join(root, place, 'wrong.json');
    const wanted = `${many.lines.join('\n')}\n`;
    const { status, stdout, stderr } = run(['bin/cordon.ts'], { config });
    assert.deepEqual([stdout, stderr, status], ['', wanted, 1]);
    // Which make takes as it is, whatever the path.
    const made = spawnSync('make', ['--silent', 'deploy', `CONFIG=${config}`], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      encoding: 'utf8',
    });
    const says = made.stderr.replace(/^make.*\n/gm, '');
    assert.deepEqual([made.stdout, says, made.status], ['', wanted, 2]);
  });

  it('say what may not be meant, and which package is not built, without a stack trace', () => {
    const { status, stdout, stderr } = run(['bin/cordon.ts'], {
      config: join(root, 'doubtful.json'),
    });
    const [warning, missing, ...rest] = stderr.split('\n');
    assert.deepEqual([`warning: ${example.lines[0]}`], [warning]);
    assert.match(missing ?? '', /^`binaries` lacks a function: there is no `.+`$/);
    assert.deepEqual([stdout, rest, status], ['', [''], 1]);
  });
});

describe('what may not be meant is taken, with a warning', () => {
  for (const doubtfully of doubtful) {
    it(doubtfully.for, () => {
      const read = parseConfiguration(documentOf(doubtfully), '/');
      assert.deepEqual(doubts(read).map(line), doubtfully.lines);
    });
  }

  it('more of whom no step touches than fits beside a function: the last are told otherwise', () => {
    const externalId = 'x'.repeat(1_224);
    const many = Array.from({ length: 60 }, (_, n) => `arn:aws:iam::*:user/${n}`.padEnd(60, 'p'));
    const all = { operators: many.slice(0, 10), protectedPrincipals: many.slice(10) };
    const told = toldPrincipals(all, externalId);
    assert.deepEqual(told.operators, all.operators);
    const past = all.protectedPrincipals.slice(told.protectedPrincipals.length);
    assert.ok(past.length > 0 && told.protectedPrincipals.length > 0);
    assert.deepEqual([...told.protectedPrincipals, ...past], all.protectedPrincipals);
    const [doubt, ...others] = doubts(
      parseConfiguration({ ...CONFIGURATION, externalId, ...all }, '/'),
    );
    assert.deepEqual(others, []);
    assert.equal(doubt?.at, 'protectedPrincipals');
    assert.match(doubt.wrong, new RegExp(`the last ${past.length} either`));
  });

  describe('a pattern', () => {
    /** What is said of an exemption. */
    const doubted = (pattern: string) =>
      doubts({ responsePolicy: { exemptPrincipals: [pattern] } }).length > 0;

    for (const pattern of [
      'deploy',
      '',
      'arn:aws:iam::222222222222:usr/foo',
      'arn:aws:iam::222222222222:users/foo',
      'arn:aws:iam::222222222222:group/foo',
      'arn:aws:iam::222222222222:root',
      'arn:aws:iam::222222222222:user',
      'arn:aws:iam::222222222222:user/',
      'arn:aws:iam::222222222222:user/team/',
      'arn:aws:iam::222222222222:user/a b',
      'arn:aws:iam::222222222222:user/foo ',
      'arn:aws:iam::22222222222:user/foo',
      'arn:aws:iam::2222222222222:user/foo',
      'arn:aws:iam::22222222222x:user/foo',
      'arn:aws:iam::???????????:user/foo',
      'arn:aws:iam:222222222222:user/foo',
      'arn:aws:iam:eu-west-1:222222222222:user/foo',
      'arn:aws:iam::aws:user/foo',
      'arn:aws:sts::222222222222:assumed-role/foo/*',
      'arn:aw:iam::*:user/*',
      '*:usr/*x:',
      '*/',
    ]) {
      it(`that no ARN of a user or role can fit is warned of: ${pattern}`, () => {
        assert.ok(doubted(pattern));
      });
    }

    for (const pattern of [
      '*a',
      'arn:*foo',
      'a*/f',
      '*:user/foo',
      'ARN:AWS:IAM::222222222222:USER/FOO',
      'arn:aws-??-g?v:iam::*:role/foo',
      'arn:aws:iam::222222222222:????/foo',
      'arn:aws:iam::222222222222?user/foo',
      'arn:aws:iam*foo',
      'arn:aws:iam::2*2:*',
      // A path may have all of it.
      'arn:aws:iam::*:usr/foo',
      'arn:aws:*s3*:user/foo',
      'arn:aws:iam::222222222222:user/a:usr/$~/foo',
      'arn:aws:iam::222222222222:*group/*',
    ]) {
      it(`that one can fit is not: ${pattern}`, () => {
        assert.ok(!doubted(pattern));
      });
    }

    it('that is made of such an ARN is not, whatever is left open in it', () => {
      let seed = 1;
      const upTo = (most: number): number => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed % most;
      };
      for (const arn of [
        'arn:aws:iam::222222222222:user/eve',
        'arn:aws-cn:iam::012345678901:role/aws-service-role/a.b/AWSServiceRoleForX',
        'arn:aws-us-gov:iam::333333333333:user/a//b:c/D_+=,.@-',
      ]) {
        for (let n = 0; n < 2_000; n += 1) {
          let pattern = arn;
          for (let times = upTo(5); times > 0; times -= 1) {
            const from = upTo(pattern.length);
            const taken = pattern.slice(from, from + upTo(8));
            const open = taken.includes('*') || upTo(2) === 0 ? '*' : '?'.repeat(taken.length);
            pattern = `${pattern.slice(0, from)}${open}${pattern.slice(from + taken.length)}`;
          }
          assert.ok(!doubted(pattern), `${pattern}, of ${arn}`);
        }
      }
    });
  });

  it('raises no doubt unless there is one', () => {
    assert.deepEqual(doubts(parseConfiguration(CONFIGURATION, '/')), []);
  });
});

describe("a response policy is held against its reader's rules", () => {
  for (const { for: why, policy, wrong } of POLICIES) {
    it(why, () => {
      const read = (): object =>
        parseConfiguration({ ...CONFIGURATION, responsePolicy: policy }, '/').responsePolicy;
      if (wrong === undefined) {
        assert.deepEqual(read(), policy);
        return;
      }
      assert.throws(read, ({ name, message }: Error) => {
        assert.equal(name, 'ConfigurationError');
        const field = `\`responsePolicy.${wrong}`;
        assert.ok(
          ['`', '.', '['].some((end) => message.startsWith(field + end)),
          message,
        );
        assert.equal(message.split('\n').length, 1);
        return true;
      });
    });
  }
});
