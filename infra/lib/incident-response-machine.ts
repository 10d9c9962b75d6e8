import { join } from 'node:path';
import { RemovalPolicy } from 'aws-cdk-lib';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { readDefinition } from './definition.ts';
import { fillPolicy, type PlaceholderValues, readPolicyFile } from './policy-file.ts';
import { ServiceRole } from './service-role.ts';

export interface IncidentResponseMachineProps {
  /** The folder with `incident-response.asl.json` and `execution-policy.json`. */
  readonly folder: string;
  readonly logRetentionDays: number;
  readonly substitutions: Readonly<Record<string, string>>;
  /** What the policy file's placeholders stand for, but for the machine's own log group. */
  readonly placeholders: PlaceholderValues;
}

/** The state machine that answers a finding, exactly as its file has it. */
export class IncidentResponseMachine extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: IncidentResponseMachineProps) {
    super(scope, id);
    // The prefix keeps the log group's resource policy from growing with each state machine (Step
    // Functions Developer Guide, "Using CloudWatch Logs to log execution history").
    const logGroupName = '/aws/vendedlogs/states/cordon-incident-response';
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName,
      retention: props.logRetentionDays,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });

    const role = new ServiceRole(this, 'Role', {
      purpose: 'IncidentResponse',
      description: 'Cordon: the state machine that answers findings',
      service: 'states.amazonaws.com',
      trust: 'OnlyStateMachinesOfThisAccount',
      policy: fillPolicy(
        readPolicyFile(join(props.folder, 'execution-policy.json')),
        props.placeholders,
      ),
    });

    const machine = new CfnStateMachine(this, 'StateMachine', {
      stateMachineName: 'cordon-incident-response',
      stateMachineType: 'STANDARD',
      definitionString: readDefinition(
        join(props.folder, 'incident-response.asl.json'),
        props.substitutions,
      ),
      definitionSubstitutions: props.substitutions,
      roleArn: role.arn,
      tracingConfiguration: { enabled: true },
      // Everything, with data: an execution's history is gone after 90 days, and forensics comes
      // later than that. No credential ever enters an execution, so none gets into its log.
      loggingConfiguration: {
        level: 'ALL',
        includeExecutionData: true,
        destinations: [{ cloudWatchLogsLogGroup: { logGroupArn: logGroup.logGroupArn } }],
      },
    });
    // One finding of cfn-lint is wrong here. E3601 knows the task ARNs of the partition `aws` alone
    // and takes the partition's placeholder for an error; where that is inside a Parallel state, it
    // fails while it says so, which shows as E1101. The tests validate the definition as filled in,
    // for each partition.
    machine.addMetadata('cfn-lint', { config: { ignore_checks: ['E3601', 'E1101'] } });
    this.arn = machine.attrArn;
  }
}
