import { join } from 'node:path';
import { ArnFormat, CfnOutput, CfnResource, RemovalPolicy } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { AlertTopics } from './alert-topics.ts';
import type { Configuration, Partition } from './config.ts';
import { CordonStack } from './cordon-stack.ts';
import { ContainmentsTable } from './containments-table.ts';
import { EvidenceBucket } from './evidence-bucket.ts';
import { FindingRules } from './finding-rules.ts';
import { DefinitionError, stepsOf } from './definition.ts';
import { RESPONSE_POLICY } from './names.ts';
import { Operations } from './operations.ts';
import { fillPolicy, readPolicyFile } from './policy-file.ts';
import { Readiness } from './readiness.ts';
import { Restorer } from './restorer.ts';
import { StateMachine } from './state-machine.ts';
import { Step } from './step.ts';
import { grants, type StepFolder } from './step-folder.ts';
import { Watch } from './watch.ts';

export interface SecurityStackProps {
  readonly configuration: Configuration;
  readonly steps: readonly StepFolder[];
  /** The folder of the state machines' definitions and policies. */
  readonly stateMachine: string;
  /** Set where the deployed stack has it, for the deployment that lets go of it. */
  readonly former?: Former;
}

/**
 * What the stack of a former release has of the response policy as a resource. Unchanged, it is
 * retained by one deployment, and the next one forgets it.
 */
export interface Former {
  /** The resource's properties. */
  readonly responsePolicy: Readonly<Record<string, unknown>>;
  /** The stack's tags, which the resource inherits. */
  readonly tags: Readonly<Record<string, string>>;
}

/** Everything that runs in the security account. */
export class SecurityStack extends CordonStack {
  constructor(scope: Construct, id: string, props: SecurityStackProps) {
    const { configuration } = props;
    const { restorers } = configuration;
    const v2 = configuration.findings === 'v2';
    const asDeployed = props.former && { tags: props.former.tags };
    super(
      scope,
      id,
      { ...configuration, ...asDeployed },
      {
        description: 'Cordon: contains principals that Security Hub reports as dangerous',
        env: { account: configuration.securityAccount, region: configuration.region },
      },
    );

    const topics = new AlertTopics(this, 'Topics', {
      account: this.account,
      responders: configuration.responders,
      operations: configuration.operations,
    });
    const evidence = new EvidenceBucket(this, 'Evidence', {
      retentionDays: configuration.evidenceRetentionDays,
      lock: configuration.evidenceLock,
    }).bucket;

    const containments = new ContainmentsTable(this, 'Containments').table;

    // The response policy itself is no resource of any stack: CloudFormation writes a parameter's
    // value again with whatever else of it changes, and with each rollback.
    if (props.former) {
      // Not as a parameter, which would get tags of its own, and so be written.
      const former = new CfnResource(this, 'ResponsePolicy', {
        type: 'AWS::SSM::Parameter',
        properties: props.former.responsePolicy,
      });
      former.applyRemovalPolicy(RemovalPolicy.RETAIN);
    }

    const placeholders = {
      'AWS::Partition': this.partition,
      'AWS::AccountId': this.account,
      'AWS::Region': this.region,
      EvidenceBucketArn: evidence.bucketArn,
      ResponsePolicyParameterArn: this.formatArn({
        service: 'ssm',
        resource: 'parameter',
        resourceName: RESPONSE_POLICY.slice(1),
      }),
      AlertTopicArn: topics.responders.topicArn,
      TopicKeyArn: topics.key.keyArn,
      ContainmentsTableArn: containments.tableArn,
      HubArn: this.formatArn({
        service: 'securityhub',
        resource: v2 ? 'hubv2' : 'hub',
        resourceName: v2 ? '*' : 'default',
      }),
    };

    const absent = props.steps.filter((step) => grants(step) && restorers === undefined);
    const present = props.steps.filter((step) => !absent.includes(step));
    const steps = present.map(
      (step) =>
        new Step(this, step.state, {
          step,
          configuration,
          evidenceBucketName: evidence.bucketName,
          placeholders,
        }),
    );
    const definition = (name: string): string => join(props.stateMachine, `${name}.asl.json`);
    const ofIncidents = stepsOf(definition('incident-response'), steps);
    const ofReadiness = stepsOf(definition('readiness'), steps);
    const ofRestore = stepsOf(definition('restore'), steps);
    const running = [...ofIncidents, ...ofReadiness, ...ofRestore];
    const idle = steps.find((step) => !running.includes(step));
    if (idle !== undefined) {
      throw new DefinitionError(`no state machine has a state for the step \`${idle.state}\``);
    }

    const machine = new StateMachine(this, 'IncidentResponse', {
      name: 'incident-response',
      description: 'Cordon: the state machine that answers findings',
      definition: definition('incident-response'),
      policy: join(props.stateMachine, 'execution-policy.json'),
      logRetentionDays: configuration.logRetentionDays,
      placeholders: { ...placeholders, ...functionArns(ofIncidents) },
      substitutions: {
        ...functionArns(ofIncidents),
        Partition: this.partition,
        AlertTopicArn: topics.responders.topicArn,
        ResponsePolicyParameter: RESPONSE_POLICY,
        ContainmentsTable: containments.tableName,
        ConsoleUrl: consoleUrl(configuration),
        GetFindings: v2 ? 'getFindingsV2' : 'getFindings',
      },
    });

    const ofReadinessAlone = {
      IncidentResponseArn: machine.arn,
      OperationsTopicArn: topics.operations.topicArn,
    };
    const readiness = new Readiness(this, 'Readiness', {
      folder: props.stateMachine,
      configuration,
      placeholders: { ...placeholders, ...ofReadinessAlone, ...functionArns(ofReadiness) },
      substitutions: {
        ...ofReadinessAlone,
        ...functionArns(ofReadiness),
        Partition: this.partition,
        AlertTopicArn: topics.responders.topicArn,
        ResponsePolicyParameter: RESPONSE_POLICY,
      },
    });

    // A person starts it. No rule does. Where restores are not applied, it may invoke no function
    // for it, and names one that is not there.
    const restore = new StateMachine(this, 'Restore', {
      name: 'restore',
      description: 'Cordon: the state machine that plans restores, and applies them',
      definition: definition('restore'),
      policy: join(props.stateMachine, 'restore-policy.json'),
      logRetentionDays: configuration.logRetentionDays,
      placeholders: {
        ...placeholders,
        ...functionArns(ofRestore),
        ...named(absent, () => []),
      },
      substitutions: {
        ...functionArns(ofRestore),
        ...named(absent, (step) => this.functionArn(step)),
        RestoreGroups: `${configuration.restoreGroups}`,
        Partition: this.partition,
        AlertTopicArn: topics.responders.topicArn,
        GetFindings: v2 ? 'getFindingsV2' : 'getFindings',
      },
    });

    if (restorers !== undefined) {
      const policy = readPolicyFile(join(props.stateMachine, 'restorer-policy.json'));
      new Restorer(this, 'Restorer', {
        restorers,
        policy: fillPolicy(policy, { ...placeholders, RestoreArn: restore.arn }),
      });
    }

    // The action itself is made once, with CreateActionTarget: CloudFormation's
    // AWS::SecurityHub::ActionTarget is not yet in all Regions. The home Region's console offers
    // the findings of all linked Regions, so its action is the only one.
    const customActionArn = this.formatArn({
      service: 'securityhub',
      resource: 'action',
      resourceName: `custom/${configuration.customAction}`,
    });
    const findings = new FindingRules(this, 'Findings', {
      stateMachineArn: machine.arn,
      alertTopicArn: topics.responders.topicArn,
      findings: configuration.findings,
      ...(!v2 && { customActionArn }),
    });
    const { alarms } = new Operations(this, 'Operations', {
      operations: topics.operations,
      responders: topics.responders,
      stateMachineArn: machine.arn,
      responsePolicyName: RESPONSE_POLICY,
      readinessMachineArn: readiness.arn,
      restoreMachineArn: restore.arn,
      starting: [...findings.rules, ...readiness.rules],
    });
    new Watch(this, 'Watch', {
      operations: topics.operations,
      findings: configuration.findings,
      stateMachineArn: machine.arn,
      functionNames: steps.map(({ functionName }) => functionName),
      alarms,
    });

    new CfnOutput(this, 'EvidenceBucketName', { value: evidence.bucketName });
    new CfnOutput(this, 'AlertTopicArn', { value: topics.responders.topicArn });
    new CfnOutput(this, 'OperationsTopicArn', { value: topics.operations.topicArn });
    new CfnOutput(this, 'StateMachineArn', { value: machine.arn });
    new CfnOutput(this, 'ReadinessMachineArn', { value: readiness.arn });
    new CfnOutput(this, 'RestoreMachineArn', { value: restore.arn });
    new CfnOutput(this, 'ResponsePolicyParameter', { value: RESPONSE_POLICY });
    if (!v2) new CfnOutput(this, 'CustomActionArn', { value: customActionArn });
  }

  /** The ARN that the step's function would have. */
  private functionArn({ name }: StepFolder): string {
    return this.formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: `cordon-${name}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }
}

function functionArns(steps: readonly Step[]): Readonly<Record<string, string>> {
  return named(steps, ({ functionArn }) => functionArn);
}

/** What the placeholder of each step's function stands for. */
function named<T extends { readonly state: string }, V>(
  steps: readonly T[],
  value: (step: T) => V,
): Readonly<Record<string, V>> {
  return Object.fromEntries(steps.map((step) => [`${step.state}FunctionArn`, value(step)]));
}

const CONSOLES: Readonly<Record<Partition, string>> = {
  aws: 'console.aws.amazon.com',
  'aws-cn': 'console.amazonaws.cn',
  'aws-us-gov': 'console.amazonaws-us-gov.com',
};

function consoleUrl({ partition, region }: Configuration): string {
  return `https://${region}.${CONSOLES[partition]}`;
}
