import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ConfigurationError } from '../lib/config.ts';
import { DefinitionError } from '../lib/definition.ts';
import { findingPatterns } from '../lib/finding-patterns.ts';
import { type Former, SecurityStack } from '../lib/security-stack.ts';
import { discoverSteps } from '../lib/step-folder.ts';
import { app, arnOf, binaries, configuration, folder, ref, Synthesized } from './fixture.ts';

const DEFINITION = `{
  "Comment": "\${ClassifyFunctionArn} \${PreserveFunctionArn} \${Partition} \${AlertTopicArn}",
  "StartAt": "Begin",
  "States": {
    "Begin": { "Type": "Succeed", "Comment": "\${ResponsePolicyParameter} \${ContainmentsTable} \${ConsoleUrl} \${GetFindings}" }
  }
}
`;

const policy = (Action: string, Resource: string) => ({
  Version: '2012-10-17',
  Statement: [{ Sid: 'Everything', Effect: 'Allow', Action, Resource }],
});

const root = folder({
  'functions/classify/execution-policy.json': {
    Version: '2012-10-17',
    Statement: [{ Sid: 'Log', Effect: 'Allow', Action: ['b', 'a'], Resource: '${LogGroupArn}:*' }],
  },
  'functions/preserve/execution-policy.json': {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Enter',
        Effect: 'Allow',
        Action: ['sts:AssumeRole'],
        Resource: 'arn:${AWS::Partition}:iam::*:role/cordon/SecurityRemediation-Preserve',
      },
      { Sid: 'Keep', Effect: 'Allow', Action: 's3:PutObject', Resource: '${EvidenceBucketArn}' },
    ],
  },
  'functions/preserve/member-policy.json': {},
  'statemachine/incident-response.asl.json': DEFINITION,
  'statemachine/readiness.asl.json': `{
    "Comment": "\${Partition} \${IncidentResponseArn} \${OperationsTopicArn} \${ListAccounts} \${CentralAccounts} \${AlertTopicArn} \${ResponsePolicyParameter}",
    "StartAt": "Begin",
    "States": { "Begin": { "Type": "Succeed" } }
  }`,
  'statemachine/restore.asl.json': `{
    "Comment": "\${Partition} \${AlertTopicArn} \${GetFindings} \${RestoreGroups}",
    "StartAt": "Begin",
    "States": { "Begin": { "Type": "Succeed" } }
  }`,
  'statemachine/restore-policy.json': policy('x:Y', '${AlertTopicArn}'),
  'statemachine/readiness-policy.json': policy('x:Y', '${OperationsTopicArn}'),
  'statemachine/readiness-policy-v2.json': policy('x:V2', '${IncidentResponseArn}'),
  'statemachine/execution-policy.json': {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Everything',
        Effect: 'Allow',
        Action: 'x:Y',
        Resource: [
          'arn:${AWS::Partition}:x:${AWS::Region}:${AWS::AccountId}:y',
          '${ClassifyFunctionArn}',
          '${PreserveFunctionArn}',
          '${ResponsePolicyParameterArn}',
          '${ContainmentsTableArn}',
          '${AlertTopicArn}',
          '${TopicKeyArn}',
          '${HubArn}',
        ],
      },
    ],
  },
});

function synthesize(changes: Readonly<Record<string, unknown>> = {}, former?: Former): Synthesized {
  return new Synthesized(
    new SecurityStack(app(), 'CordonSecurity', {
      configuration: configuration({ binaries: binaries(['classify', 'preserve']), ...changes }),
      steps: discoverSteps(join(root, 'functions')),
      stateMachine: join(root, 'statemachine'),
      ...(former && { former }),
    }),
  );
}

describe('where Security Hub without CSPM sends the findings', () => {
  const stack = synthesize({ findings: 'v2' });
  const patternOf = (name: string) =>
    stack.one('AWS::Events::Rule', { Name: name }).Properties['EventPattern'];
  const { actionable, alerting } = findingPatterns('v2', 'aws', '111111111111');

  it('the rules take its events, and there is no custom action', () => {
    assert.deepEqual(patternOf('cordon-findings'), actionable);
    assert.deepEqual(patternOf('cordon-alerts'), alerting);
    const names = stack.all('AWS::Events::Rule').map(({ Properties }) => Properties['Name']);
    assert.equal(names.includes('cordon-custom-action'), false);
    assert.equal('CustomActionArn' in (stack.json['Outputs'] as object), false);
  });

  it('the first notice has nothing that an importer words', () => {
    const [target] = stack.one('AWS::Events::Rule', { Name: 'cordon-alerts' }).Properties[
      'Targets'
    ] as { InputTransformer: { InputPathsMap: unknown } }[];
    assert.deepEqual(target?.InputTransformer.InputPathsMap, {
      account: '$.detail.findings[0].cloud.account.uid',
      severity: '$.detail.findings[0].severity',
      // GuardDuty's and Health's own, whose products the pattern admits alone.
      id: '$.detail.findings[0].finding_info.uid',
      when: '$.time',
    });
    const worded = /title|types|desc|resources|comment/i;
    assert.doesNotMatch(JSON.stringify(target?.InputTransformer), worded);
  });

  it('readiness asks the organization for its accounts', () => {
    const { Properties } = stack.one('AWS::StepFunctions::StateMachine', {
      StateMachineName: 'cordon-readiness',
    });
    const { ListAccounts } = Properties['DefinitionSubstitutions'] as { ListAccounts: string };
    assert.equal(ListAccounts, 'organizations:listAccounts');
    const role = stack.one('AWS::IAM::Role', { RoleName: 'Cordon-Readiness' });
    assert.match(JSON.stringify(role.Properties['Policies']), /"x:V2"/);
  });

  it('the machine asks it, and may ask no other', () => {
    const { Properties } = stack.one('AWS::StepFunctions::StateMachine', {
      StateMachineName: 'cordon-incident-response',
    });
    const { GetFindings } = Properties['DefinitionSubstitutions'] as { GetFindings: string };
    assert.equal(GetFindings, 'getFindingsV2');
    const text = JSON.stringify(stack.json);
    assert.ok(text.includes(':securityhub:eu-west-1:111111111111:hubv2/*'));
    assert.equal(text.includes(':hub/default'), false);
  });
});

describe('the security stack', () => {
  const stack = synthesize();
  const key = stack.one('AWS::KMS::Key').id;
  const responders = stack.one('AWS::SNS::Topic', { DisplayName: 'Cordon incidents' }).id;
  const operations = stack.one('AWS::SNS::Topic', { DisplayName: 'Cordon operations' }).id;
  const bucket = stack.one('AWS::S3::Bucket').id;
  const containments = stack.one('AWS::DynamoDB::Table').id;
  const machineOf = (StateMachineName: string) =>
    stack.one('AWS::StepFunctions::StateMachine', { StateMachineName });
  const machine = machineOf('cordon-incident-response').id;
  const readiness = machineOf('cordon-readiness').id;
  const rule = (name: string) => stack.one('AWS::Events::Rule', { Name: name });
  const ruleNames = [
    'cordon-findings',
    'cordon-custom-action',
    'cordon-alerts',
    'cordon-readiness',
    'cordon-redrives',
    'cordon-execution-failed',
    'cordon-execution-ended',
    'cordon-response-policy',
  ];
  const role = (name: string) => stack.one('AWS::IAM::Role', { RoleName: name });
  const functionOf = (name: string) => stack.one('AWS::Lambda::Function', { FunctionName: name });
  const logGroup = (name: string) => stack.one('AWS::Logs::LogGroup', { LogGroupName: name });

  describe('a function', () => {
    it('knows its member role and the evidence bucket if it uses them', () => {
      assert.deepEqual(functionOf('cordon-preserve').Properties['Environment'], {
        Variables: {
          EXTERNAL_ID: 'cordon-f00d-f00d-f00d',
          MEMBER_ROLE: 'SecurityRemediation-Preserve',
          EVIDENCE_BUCKET: ref(bucket),
        },
      });
    });

    it('may do what its file says, and nothing else', () => {
      assert.deepEqual(role('Cordon-Preserve').Properties, {
        Path: '/cordon/',
        RoleName: 'Cordon-Preserve',
        Description: 'Cordon: the function of the step Preserve',
        AssumeRolePolicyDocument: {
          Version: '2012-10-17',
          Statement: [
            {
              Sid: 'OnlyFunctionsOfThisAccount',
              Effect: 'Allow',
              Principal: { Service: 'lambda.amazonaws.com' },
              Action: 'sts:AssumeRole',
              Condition: { StringEquals: { 'aws:SourceAccount': '111111111111' } },
            },
          ],
        },
        Policies: [
          {
            PolicyName: 'Preserve',
            PolicyDocument: {
              Version: '2012-10-17',
              Statement: [
                {
                  Sid: 'Enter',
                  Effect: 'Allow',
                  Action: ['sts:AssumeRole'],
                  Resource: 'arn:aws:iam::*:role/cordon/SecurityRemediation-Preserve',
                },
                { Sid: 'Keep', Effect: 'Allow', Action: 's3:PutObject', Resource: arnOf(bucket) },
              ],
            },
          },
        ],
      });
    });

    it('needs its binary', () => {
      const without = binaries(['classify']);
      assert.throws(
        () => synthesize({ binaries: without }),
        new ConfigurationError(
          `\`binaries\` lacks a function: there is no \`${join(without, 'preserve', 'bootstrap')}\``,
        ),
      );
    });

    it('is run by a state machine', () => {
      const [classify, ...others] = discoverSteps(join(root, 'functions'));
      assert.ok(classify);
      const idle = { ...classify, name: 'idle', state: 'Idle' };
      assert.throws(
        () =>
          new SecurityStack(app(), 'CordonSecurity', {
            configuration: configuration({ binaries: binaries(['classify', 'preserve', 'idle']) }),
            steps: [classify, ...others, idle],
            stateMachine: join(root, 'statemachine'),
          }),
        new DefinitionError('no state machine has a state for the step `Idle`'),
      );
    });

    it('runs on the architecture that the binaries are for', () => {
      const architectures = synthesize({ architecture: 'x86_64' })
        .all('AWS::Lambda::Function')
        .map(({ Properties }) => Properties['Architectures']);
      assert.deepEqual(architectures, [['x86_64'], ['x86_64']]);
    });
  });

  it('keeps logs for a year, and when it is deleted', () => {
    const kept = stack.all('AWS::Logs::LogGroup').map(({ Type, ...rest }) => rest);
    assert.deepEqual(
      kept,
      [
        '/aws/lambda/cordon-classify',
        '/aws/lambda/cordon-preserve',
        '/aws/vendedlogs/states/cordon-incident-response',
        '/aws/vendedlogs/states/cordon-readiness',
        '/aws/vendedlogs/states/cordon-restore',
      ].map((name) => ({
        Properties: { LogGroupName: name, RetentionInDays: 365 },
        UpdateReplacePolicy: 'Retain',
        DeletionPolicy: 'RetainExceptOnCreate',
      })),
    );
  });

  describe('the state machine', () => {
    it('is its file, verbatim, with the placeholders filled by CloudFormation', () => {
      assert.deepEqual(machineOf('cordon-incident-response').Properties, {
        StateMachineName: 'cordon-incident-response',
        StateMachineType: 'STANDARD',
        DefinitionString: DEFINITION,
        DefinitionSubstitutions: {
          ClassifyFunctionArn: arnOf(functionOf('cordon-classify').id),
          PreserveFunctionArn: arnOf(functionOf('cordon-preserve').id),
          Partition: 'aws',
          AlertTopicArn: ref(responders),
          ResponsePolicyParameter: '/cordon/response-policy',
          ContainmentsTable: ref(containments),
          ConsoleUrl: 'https://eu-west-1.console.aws.amazon.com',
          GetFindings: 'getFindings',
        },
        RoleArn: arnOf(role('Cordon-IncidentResponse').id),
        TracingConfiguration: { Enabled: true },
        LoggingConfiguration: {
          Level: 'ALL',
          IncludeExecutionData: true,
          Destinations: [
            {
              CloudWatchLogsLogGroup: {
                LogGroupArn: arnOf(logGroup('/aws/vendedlogs/states/cordon-incident-response').id),
              },
            },
          ],
        },
      });
    });
  });

  it('lets go of the response policy of a former release, whatever else changes', () => {
    assert.deepEqual(stack.all('AWS::SSM::Parameter'), []);
    const Properties = { Name: '/cordon/response-policy', Type: 'String', Value: '{}' };
    const former = { responsePolicy: Properties, tags: { team: 'cloud' } };
    const template = synthesize({ tags: { team: 'security' } }, former);
    const { id, ...resource } = template.one('AWS::SSM::Parameter');
    assert.equal(id, 'ResponsePolicy');
    assert.deepEqual(resource, {
      Type: 'AWS::SSM::Parameter',
      Properties,
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
    });
    // The stack's tags, which the resource would inherit, are as they were.
    const { Tags } = template.one('AWS::S3::Bucket').Properties;
    assert.deepEqual(Tags, [{ Key: 'team', Value: 'cloud' }]);
  });

  describe('the evidence bucket', () => {
    it('is locked, versioned, private and kept', () => {
      const { id, ...resource } = stack.one('AWS::S3::Bucket');
      assert.deepEqual(resource, {
        Type: 'AWS::S3::Bucket',
        Properties: {
          BucketEncryption: {
            ServerSideEncryptionConfiguration: [
              { ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } },
            ],
          },
          ObjectLockEnabled: true,
          ObjectLockConfiguration: {
            ObjectLockEnabled: 'Enabled',
            Rule: { DefaultRetention: { Days: 400, Mode: 'GOVERNANCE' } },
          },
          OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
          PublicAccessBlockConfiguration: {
            BlockPublicAcls: true,
            BlockPublicPolicy: true,
            IgnorePublicAcls: true,
            RestrictPublicBuckets: true,
          },
          VersioningConfiguration: { Status: 'Enabled' },
        },
        UpdateReplacePolicy: 'Retain',
        DeletionPolicy: 'Retain',
      });
    });

    it('is reached over TLS only, written once, and kept from every role of ours', () => {
      const objects = { 'Fn::Join': ['', [arnOf(bucket), '/*']] };
      assert.deepEqual(stack.one('AWS::S3::BucketPolicy').Properties, {
        Bucket: ref(bucket),
        PolicyDocument: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Deny',
              Principal: { AWS: '*' },
              Action: 's3:*',
              Resource: [arnOf(bucket), objects],
              Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            },
            {
              Sid: 'WrittenOnce',
              Effect: 'Deny',
              Principal: { AWS: '*' },
              Action: 's3:PutObject',
              Resource: objects,
              Condition: { Null: { 's3:if-none-match': 'true' } },
            },
            {
              Sid: 'KeptFromEveryRoleOfOurs',
              Effect: 'Deny',
              Principal: { AWS: '*' },
              Action: [
                's3:DeleteObject',
                's3:DeleteObjectVersion',
                's3:PutObjectRetention',
                's3:PutObjectLegalHold',
                's3:BypassGovernanceRetention',
                's3:PutBucketPolicy',
                's3:DeleteBucketPolicy',
                's3:PutBucketVersioning',
                's3:PutBucketObjectLockConfiguration',
                's3:PutLifecycleConfiguration',
              ],
              Resource: [arnOf(bucket), objects],
              Condition: {
                ArnLike: {
                  'aws:PrincipalArn': 'arn:aws:iam::*:role/cordon/*',
                },
              },
            },
          ],
        },
      });
    });
  });

  describe('the topics', () => {
    const onlyTls = (topic: string) => ({
      Sid: 'AllowPublishThroughSSLOnly',
      Effect: 'Deny',
      Principal: '*',
      Action: 'sns:Publish',
      Resource: ref(topic),
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    });
    const rulesPublish = (topic: string) => ({
      Sid: 'RulesPublish',
      Effect: 'Allow',
      Principal: { Service: 'events.amazonaws.com' },
      Action: 'sns:Publish',
      Resource: ref(topic),
    });
    const policyOf = (topic: string) =>
      stack.one('AWS::SNS::TopicPolicy', { Topics: [ref(topic)] }).Properties['PolicyDocument'];

    it('are under a key that lets rules and alarms publish', () => {
      assert.deepEqual(
        stack.all('AWS::SNS::Topic').map(({ Properties }) => Properties['KmsMasterKeyId']),
        [arnOf(key), arnOf(key)],
      );
      assert.deepEqual(stack.one('AWS::KMS::Key').Properties, {
        Description: 'Cordon: the topics of responders and operations',
        EnableKeyRotation: true,
        KeyPolicy: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Principal: { AWS: 'arn:aws:iam::111111111111:root' },
              Action: 'kms:*',
              Resource: '*',
            },
            {
              Sid: 'RulesAndAlarmsPublishEncrypted',
              Effect: 'Allow',
              Principal: { Service: ['events.amazonaws.com', 'cloudwatch.amazonaws.com'] },
              Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
              Resource: '*',
            },
          ],
        },
      });
    });

    it('take from services what is meant for them', () => {
      assert.deepEqual(policyOf(responders), {
        Version: '2012-10-17',
        Statement: [onlyTls(responders), rulesPublish(responders)],
      });
      assert.deepEqual(policyOf(operations), {
        Version: '2012-10-17',
        Statement: [
          onlyTls(operations),
          rulesPublish(operations),
          {
            Sid: 'AlarmsOfThisAccountPublish',
            Effect: 'Allow',
            Principal: { Service: 'cloudwatch.amazonaws.com' },
            Action: 'sns:Publish',
            Resource: ref(operations),
            Condition: { StringEquals: { 'aws:SourceAccount': '111111111111' } },
          },
        ],
      });
    });

    it('have the subscribers of the configuration', () => {
      assert.deepEqual(
        stack.all('AWS::SNS::Subscription').map(({ Properties }) => Properties),
        [
          {
            TopicArn: ref(responders),
            Protocol: 'email',
            Endpoint: 'oncall@cordon.test',
            FilterPolicy: { severity: ['CRITICAL'] },
          },
          {
            TopicArn: ref(operations),
            Protocol: 'https',
            Endpoint: 'https://cordon.test/hook',
          },
        ],
      );
    });
  });

  /** A rule's one target, and the queue for what does not reach it. */
  const targetsOf = (name: string) => {
    const { Targets } = rule(name).Properties as {
      Targets: { DeadLetterConfig: { Arn: { 'Fn::GetAtt': [string, string] } } }[];
    };
    const queues = new Set(Targets.map((one) => one.DeadLetterConfig.Arn['Fn::GetAtt'][0]));
    assert.equal(queues.size, 1);
    const [undelivered] = [...queues] as [string];
    const targets = Targets.map(({ DeadLetterConfig, ...target }) => {
      assert.deepEqual(DeadLetterConfig, { Arn: arnOf(undelivered) });
      return target;
    });
    return { targets, undelivered };
  };
  const targetOf = (name: string) => {
    const { targets, undelivered } = targetsOf(name);
    assert.equal(targets.length, 1);
    return { target: targets[0], undelivered };
  };

  describe('the rules', () => {
    const { actionable, alerting } = findingPatterns('cspm', 'aws', '111111111111');

    it('take the findings that the verdict table can act on', () => {
      assert.deepEqual(rule('cordon-findings').Properties['EventPattern'], actionable);
    });

    it('take what somebody chose with this custom action, and with no other', () => {
      assert.deepEqual(rule('cordon-custom-action').Properties['EventPattern'], {
        source: ['aws.securityhub'],
        'detail-type': ['Security Hub Findings - Custom Action', 'Security Hub Insight Results'],
        resources: ['arn:aws:securityhub:eu-west-1:111111111111:action/custom/Isolate'],
      });
    });

    it('tell the responders of the HIGH and CRITICAL ones that AWS sent, and promise nothing', () => {
      assert.deepEqual(rule('cordon-alerts').Properties['EventPattern'], alerting);
      assert.deepEqual(targetOf('cordon-alerts').target, {
        Id: 'Responders',
        Arn: ref(responders),
        RetryPolicy: { MaximumEventAgeInSeconds: 3600 },
        InputTransformer: {
          InputPathsMap: {
            account: '$.detail.findings[0].AwsAccountId',
            severity: '$.detail.findings[0].Severity.Label',
            id: '$.detail.findings[0].Id',
            when: '$.time',
          },
          InputTemplate: [
            '"A <severity> finding has come in for account <account>. This first notice goes out before anything is judged or done."',
            '"Security Hub sent it at <when>. Its id:"',
            '"<id>"',
            '"If no other message follows within minutes, look at the finding in Security Hub."',
          ].join('\n'),
        },
      });
    });

    it('start the state machine with the whole event', () => {
      for (const [name, roleName] of [
        ['cordon-findings', 'Cordon-Findings'],
        ['cordon-custom-action', 'Cordon-CustomAction'],
      ] as const) {
        assert.deepEqual(targetOf(name).target, {
          Id: 'IncidentResponse',
          Arn: arnOf(machine),
          RoleArn: arnOf(role(roleName).id),
          RetryPolicy: { MaximumEventAgeInSeconds: 3600 },
        });
      }
    });

    it('check readiness every week, and look for what waits for a redrive every day', () => {
      for (const [name, schedule, input] of [
        ['cordon-readiness', 'cron(0 6 ? * MON *)', '{"deep": false}'],
        ['cordon-redrives', 'cron(0 6 * * ? *)', '{"check": "redrives"}'],
      ] as const) {
        const { ScheduleExpression, EventPattern, Targets } = rule(name).Properties;
        assert.deepEqual([ScheduleExpression, EventPattern], [schedule, undefined]);
        const [{ Arn, Input }] = Targets as [{ Arn: unknown; Input: string }];
        assert.deepEqual([Arn, Input], [arnOf(readiness), input]);
      }
    });

    it('may start that state machine, and nothing else', () => {
      for (const [name, purpose] of [
        ['cordon-findings', 'Findings'],
        ['cordon-custom-action', 'CustomAction'],
      ] as const) {
        assert.deepEqual(role(`Cordon-${purpose}`).Properties, {
          Path: '/cordon/',
          RoleName: `Cordon-${purpose}`,
          Description: `Cordon: the rule ${name}, which starts the state machine`,
          AssumeRolePolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              {
                Sid: 'OnlyThisRule',
                Effect: 'Allow',
                Principal: { Service: 'events.amazonaws.com' },
                Action: 'sts:AssumeRole',
                Condition: {
                  StringEquals: { 'aws:SourceAccount': '111111111111' },
                  ArnEquals: {
                    'aws:SourceArn': `arn:aws:events:eu-west-1:111111111111:rule/${name}`,
                  },
                },
              },
            ],
          },
          Policies: [
            {
              PolicyName: purpose,
              PolicyDocument: {
                Version: '2012-10-17',
                Statement: [
                  {
                    Sid: 'StartTheIncidentResponse',
                    Effect: 'Allow',
                    Action: 'states:StartExecution',
                    Resource: arnOf(machine),
                  },
                ],
              },
            },
          ],
        });
      }
    });

    it('keep what they could not deliver encrypted, each in a queue of its own', () => {
      for (const name of ruleNames) {
        const { undelivered } = targetsOf(name);
        assert.deepEqual(stack.resources[undelivered]?.Properties, {
          MessageRetentionPeriod: 14 * 24 * 60 * 60,
          SqsManagedSseEnabled: true,
        });
        const { Properties } = stack.one('AWS::SQS::QueuePolicy', { Queues: [ref(undelivered)] });
        assert.deepEqual(Properties['PolicyDocument'], {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Deny',
              Principal: { AWS: '*' },
              Action: 'sqs:*',
              Resource: arnOf(undelivered),
              Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            },
            {
              Sid: 'TheRuleSends',
              Effect: 'Allow',
              Principal: { Service: 'events.amazonaws.com' },
              Action: 'sqs:SendMessage',
              Resource: arnOf(undelivered),
              Condition: {
                ArnEquals: {
                  'aws:SourceArn': `arn:aws:events:eu-west-1:111111111111:rule/${name}`,
                },
              },
            },
          ],
        });
      }
    });
  });

  it('reports to operations how executions ended that told nobody', () => {
    const told =
      ' at <when>: <execution>. Responders may not know. With credentials of the security account, see whom it is about: `aws stepfunctions describe-execution --region <region> --execution-arn <execution>`; tell them, mend what blocked it, then redrive it: `aws stepfunctions redrive-execution --region <region> --execution-arn <execution>`"';
    for (const [name, ended, how, paths] of [
      [
        'cordon-execution-failed',
        { status: ['FAILED'], error: [{ 'anything-but': ['States.NoChoiceMatched'] }] },
        '"FAILED with <error>',
        { error: '$.detail.error' },
      ],
      [
        'cordon-execution-ended',
        {
          $or: [
            { status: ['TIMED_OUT', 'ABORTED'] },
            { status: ['FAILED'], error: [null] },
            { status: ['FAILED'], error: [{ exists: false }] },
          ],
        },
        '"<status>',
        { status: '$.detail.status' },
      ],
    ] as const) {
      assert.deepEqual(rule(name).Properties['EventPattern'], {
        source: ['aws.states'],
        'detail-type': ['Step Functions Execution Status Change'],
        detail: {
          stateMachineArn: [arnOf(machine), arnOf(machineOf('cordon-restore').id)],
          ...ended,
        },
      });
      assert.deepEqual(targetOf(name).target, {
        Id: 'Operations',
        Arn: ref(operations),
        RetryPolicy: { MaximumEventAgeInSeconds: 3600 },
        InputTransformer: {
          InputPathsMap: {
            ...paths,
            execution: '$.detail.executionArn',
            region: '$.region',
            when: '$.time',
          },
          InputTemplate: `${how}${told}`,
        },
      });
    }
  });

  it('tells both topics of a change of the response policy', () => {
    assert.deepEqual(rule('cordon-response-policy').Properties['EventPattern'], {
      source: ['aws.ssm'],
      'detail-type': ['Parameter Store Change'],
      detail: { name: ['/cordon/response-policy'] },
    });
    const told = (id: string, topic: string) => ({
      Id: id,
      Arn: ref(topic),
      RetryPolicy: { MaximumEventAgeInSeconds: 3600 },
      InputTransformer: {
        InputPathsMap: {
          name: '$.detail.name',
          operation: '$.detail.operation',
          account: '$.account',
          region: '$.region',
          when: '$.time',
        },
        InputTemplate: [
          '"The response policy of Cordon was changed (<operation>)."',
          '"It happened at <when>, in the account <account>, <region>."',
          '"What it says counts for each finding and redrive from then on."',
          '"This message has neither the new value nor who set it."',
          '"With credentials of that account, see both (Value, LastModifiedUser), the newest last; paste without the quotation marks:"',
          '"aws ssm get-parameter-history --region <region> --name <name>"',
          '"The value that counts, alone:"',
          '"aws ssm get-parameter --region <region> --name <name>"',
          '"If you did not expect this, find out who did it (also in CloudTrail: PutParameter, DeleteParameter)."',
          '"Then put back the right one of that history."',
          '"After a Delete there is no history, and every incident waits for a policy."',
          '"`make deploy` writes that of the configuration, which may be the one of a pilot."',
          '"See what it says, and set what people had changed since, by `make policy`, before you redrive anything."',
        ].join('\n'),
      },
    });
    assert.deepEqual(targetsOf('cordon-response-policy').targets, [
      told('Operations', operations),
      told('Responders', responders),
    ]);
  });

  it('alarms operations at the first sign of what nobody else reports', () => {
    const own = stack.ids('AWS::CloudWatch::Alarm').filter((id) => id.startsWith('Operations'));
    const watched = own.map((id) => {
      const { Properties } = stack.resources[id] ?? assert.fail(id);
      const { AlarmDescription, Namespace, MetricName, Dimensions, Statistic, ...rest } =
        Properties;
      assert.deepEqual(rest, {
        AlarmActions: [ref(operations)],
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        EvaluationPeriods: 1,
        Period: 60,
        Threshold: 1,
        TreatMissingData: 'notBreaching',
      });
      assert.equal(typeof AlarmDescription, 'string');
      const [dimension] = (Dimensions ?? []) as { Name: string; Value: unknown }[];
      return [Namespace, MetricName, Statistic, ...(dimension ? Object.values(dimension) : [])];
    });
    assert.deepEqual(watched, [
      ['AWS/States', 'ExecutionsFailed', 'Sum', 'StateMachineArn', arnOf(machine)],
      ['AWS/States', 'ExecutionsTimedOut', 'Sum', 'StateMachineArn', arnOf(machine)],
      ['AWS/States', 'ExecutionsAborted', 'Sum', 'StateMachineArn', arnOf(machine)],
      ['AWS/States', 'ExecutionsFailed', 'Sum', 'StateMachineArn', arnOf(readiness)],
      ['AWS/States', 'ExecutionsTimedOut', 'Sum', 'StateMachineArn', arnOf(readiness)],
      ...ruleNames.flatMap((name) => [
        [
          'AWS/SQS',
          'ApproximateNumberOfMessagesVisible',
          'Maximum',
          'QueueName',
          { 'Fn::GetAtt': [targetsOf(name).undelivered, 'QueueName'] },
        ],
        // What comes again by itself needs no second one.
        ...(['cordon-readiness', 'cordon-redrives'].includes(name)
          ? []
          : [['AWS/Events', 'FailedInvocations', 'Sum', 'RuleName', name]]),
      ]),
      [
        'AWS/SNS',
        'NumberOfNotificationsFailed',
        'Sum',
        'TopicName',
        { 'Fn::GetAtt': [responders, 'TopicName'] },
      ],
      ['AWS/Lambda', 'Throttles', 'Sum'],
    ]);
  });
});
