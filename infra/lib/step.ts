import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Construct } from 'constructs';
import { type Configuration, ConfigurationError } from './config.ts';
import { memberRoleName } from './names.ts';
import { fillPolicy, type PlaceholderValues } from './policy-file.ts';
import { ServiceRole } from './service-role.ts';
import { actsInMembers, executionPolicy, type StepFolder } from './step-folder.ts';
import { toldPrincipals } from './told-principals.ts';

export interface StepProps {
  readonly step: StepFolder;
  readonly configuration: Configuration;
  readonly evidenceBucketName: string;
  /** What the policy file's placeholders stand for, but for the function's own log group. */
  readonly placeholders: PlaceholderValues;
}

/** One step: its function, the role it runs as and its log group. */
export class Step extends Construct {
  readonly functionArn: string;
  readonly functionName: string;
  readonly state: string;

  constructor(scope: Construct, id: string, props: StepProps) {
    super(scope, id);
    const { step, configuration } = props;
    const stack = Stack.of(this);
    this.state = step.state;
    this.functionName = `cordon-${step.name}`;

    const binary = join(configuration.binaries, step.name, 'bootstrap');
    if (!existsSync(binary)) {
      throw new ConfigurationError(`\`binaries\` lacks a function: there is no \`${binary}\``);
    }
    const code = new Asset(this, 'Code', { path: join(configuration.binaries, step.name) });

    const logGroupName = `/aws/lambda/${this.functionName}`;
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName,
      retention: configuration.logRetentionDays,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });

    const role = new ServiceRole(this, 'Role', {
      purpose: step.state,
      description: `Cordon: the function of the step ${step.state}`,
      service: 'lambda.amazonaws.com',
      trust: 'OnlyFunctionsOfThisAccount',
      policy: fillPolicy(executionPolicy(step, configuration.findings), {
        ...props.placeholders,
        LogGroupArn: stack.formatArn({
          service: 'logs',
          resource: 'log-group',
          resourceName: logGroupName,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      }),
    });

    const fn = new CfnFunction(this, 'Function', {
      functionName: this.functionName,
      description: `Cordon: the step ${step.state}`,
      runtime: 'provided.al2023',
      handler: 'bootstrap',
      architectures: [configuration.architecture],
      code: { s3Bucket: code.s3BucketName, s3Key: code.s3ObjectKey },
      role: role.arn,
      // A report is words, and people wait for it.
      timeout: step.state === 'WriteReport' ? 2 : 20,
      memorySize: 512,
      loggingConfig: { logGroup: logGroup.logGroupName },
      environment: {
        variables: {
          ...(actsInMembers(step) && {
            EXTERNAL_ID: configuration.externalId,
            MEMBER_ROLE: memberRoleName(step.state),
          }),
          ...(KNOWS_THE_ORGANIZATION.includes(step.state) && organization(configuration)),
          ...(step.executionPolicy.placeholders.has('EvidenceBucketArn') && {
            EVIDENCE_BUCKET: props.evidenceBucketName,
          }),
        },
      },
    });
    this.functionArn = fn.attrArn;
  }
}

/** The steps that decide whom no machine contains. */
const KNOWS_THE_ORGANIZATION = ['Classify', 'AssumeRole'];

/**
 * From where the organization is run, who runs it and whom no step touches, as the shell of the
 * functions reads it.
 */
function organization(configuration: Configuration): Record<string, string> {
  const { managementAccount, externalId } = configuration;
  const { operators, protectedPrincipals } = toldPrincipals(configuration, externalId);
  return {
    ...(managementAccount !== undefined && { MANAGEMENT_ACCOUNT: managementAccount }),
    ...(operators.length > 0 && { OPERATORS: JSON.stringify(operators) }),
    ...(protectedPrincipals.length > 0 && {
      PROTECTED_PRINCIPALS: JSON.stringify(protectedPrincipals),
    }),
  };
}
