import { RemovalPolicy } from 'aws-cdk-lib';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnStateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { readDefinition } from './definition.ts';
import { fillPolicy, type PlaceholderValues, readPolicyFile } from './policy-file.ts';
import { ServiceRole } from './service-role.ts';
import { stateName } from './step-folder.ts';

export interface StateMachineProps {
  /** The machine's own name: its log group and its role are named for it. */
  readonly name: string;
  readonly description: string;
  /** The file of its definition. */
  readonly definition: string;
  /** The file of its role's only policy. */
  readonly policy: string;
  readonly logRetentionDays: number;
  readonly substitutions: Readonly<Record<string, string>>;
  /** What the policy file's placeholders stand for. */
  readonly placeholders: PlaceholderValues;
}

/** A state machine, exactly as its file has it. */
export class StateMachine extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: StateMachineProps) {
    super(scope, id);
    const stateMachineName = `cordon-${props.name}`;

    // The prefix keeps the log group's resource policy from growing with each state machine (Step
    // Functions Developer Guide, "Using CloudWatch Logs to log execution history").
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: `/aws/vendedlogs/states/${stateMachineName}`,
      retention: props.logRetentionDays,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });

    const role = new ServiceRole(this, 'Role', {
      purpose: stateName(props.name),
      description: props.description,
      service: 'states.amazonaws.com',
      trust: 'OnlyStateMachinesOfThisAccount',
      policy: fillPolicy(readPolicyFile(props.policy), props.placeholders),
    });

    const machine = new CfnStateMachine(this, 'StateMachine', {
      stateMachineName,
      stateMachineType: 'STANDARD',
      definitionString: readDefinition(props.definition, props.substitutions),
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
