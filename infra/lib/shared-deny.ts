import { join } from 'node:path';
import { CfnManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { centralAccounts, type Configuration } from './config.ts';
import { denyPolicyName, ROLE_PATH } from './names.ts';
import {
  fillPolicy,
  forTemplate,
  type PolicyFile,
  PolicyFileError,
  readPolicyFile,
} from './policy-file.ts';
import type { MemberStepFolder } from './step-folder.ts';

/** What no role of ours that changes something may do, whatever its own policy says. */
export interface Protection {
  readonly policy: PolicyFile;
  readonly resources: readonly ProtectedResource[];
}

export interface ProtectedResource {
  /** What is never touched, as it stands in an ARN after the account: `role/aws-reserved/*`. */
  readonly resource: string;
  /** In which accounts; in all of them, unless set. */
  readonly accounts?: 'security' | 'central';
}

/** Reads the policy beside the code that enters member accounts, and the list beside the domain. */
export function readProtection(functions: string): Protection {
  const path = join(functions, 'incident', 'protected.json');
  const { document } = readPolicyFile(path);
  if (!Array.isArray(document)) throw new PolicyFileError(`\`${path}\` is no list`);
  const resources = document.map((entry: unknown): ProtectedResource => {
    const { resource, accounts } = (entry ?? {}) as Record<string, unknown>;
    if (typeof resource !== 'string' || !/^(role|user)\/\S+$/.test(resource)) {
      throw new PolicyFileError(`\`${path}\` has an entry without a \`resource\` of an account`);
    }
    if (accounts !== undefined && accounts !== 'security' && accounts !== 'central') {
      throw new PolicyFileError(`\`${path}\` protects \`${resource}\` in unknown accounts`);
    }
    return { resource, ...(accounts !== undefined && { accounts }) };
  });
  return { policy: readPolicyFile(join(functions, 'member', 'deny-policy.json')), resources };
}

/** Whether the step's role in a member account may do more than read. */
export function changesSomething(step: MemberStepFolder): boolean {
  const { Statement } = step.memberPolicy.document as {
    Statement: readonly { Effect: string; Action: string | readonly string[] }[];
  };
  const allowed = Statement.filter(({ Effect }) => Effect === 'Allow');
  return allowed.flatMap(({ Action }) => Action).some((action) => !/^iam:(Get|List)/.test(action));
}

/**
 * Characters of one managed policy, white space not counted. IAM takes 6,144 (IAM and AWS STS
 * quotas, "IAM and STS character limits").
 */
const MOST_CHARACTERS = 6_000;

/** The longest of what each placeholder may become. */
const LONGEST = { 'AWS::Partition': 'aws-us-gov', 'AWS::AccountId': '000000000000' };

/**
 * ARNs of what is protected, for a template that serves in every account: what is protected in
 * some of them alone bears their ids.
 */
export function protectedArns(
  { resources }: Protection,
  configuration: Configuration,
): readonly string[] {
  const { partition, securityAccount, protectedPrincipals, operators } = configuration;
  const central = centralAccounts(configuration);
  const listed = resources.flatMap(({ resource, accounts }) => {
    if (accounts === undefined) {
      return `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:${resource}`;
    }
    const ids = accounts === 'security' ? [securityAccount] : central;
    return ids.map((id) => `arn:${partition}:iam::${id}:${resource}`);
  });
  const operating = operators.flatMap((pattern) => {
    const [, , , , account, ...resource] = pattern.split(':');
    const ids = central.filter((id) => account === '*' || account === id);
    return ids.map((id) => `arn:${partition}:iam::${id}:${resource.join(':')}`);
  });
  return [...listed, ...operating, ...protectedPrincipals];
}

export interface SharedDenyProps {
  /** What its policies are named after, each for one stack: an account may have several. */
  readonly name: string;
  readonly policy: PolicyFile;
  readonly arns: readonly string[];
}

/**
 * One Deny for all roles of a stack that change something, in as many managed policies as its list of
 * principals takes. Roles that only read don't carry it: what is protected has to be seen to be
 * left to people.
 */
export class SharedDeny extends Construct {
  /** ARNs of the policies. */
  readonly arns: readonly string[];

  constructor(scope: Construct, id: string, { name, policy, arns }: SharedDenyProps) {
    super(scope, id);
    this.arns = split(policy, arns).map((part, n) => {
      const managed = new CfnManagedPolicy(this, `Policy${n + 1}`, {
        path: ROLE_PATH,
        managedPolicyName: denyPolicyName(name, n + 1),
        description: 'Cordon: what none of its roles may do that change something',
        policyDocument: forTemplate(part, {}),
      });
      return managed.ref;
    });
  }
}

/**
 * The policy with its `${ProtectedArns}` filled in, as parts that fit: the first has all of its
 * statements, each other one only those with the list, which goes on there.
 */
export function split(policy: PolicyFile, arns: readonly string[]): PolicyFile[] {
  const { Version, Statement } = policy.document as {
    Version: string;
    Statement: readonly { Resource: unknown }[];
  };
  const listing = Statement.filter(({ Resource }) => JSON.stringify(Resource) === LIST);
  if (listing.length === 0) throw new PolicyFileError(`\`${policy.path}\` has no ${LIST}`);
  const part = (statements: readonly object[], some: readonly string[]): PolicyFile => ({
    ...policy,
    document: fillPolicy(
      { ...policy, document: { Version, Statement: statements } },
      {
        'AWS::Partition': '${AWS::Partition}',
        'AWS::AccountId': '${AWS::AccountId}',
        ProtectedArns: some,
      },
    ),
  });
  const parts: PolicyFile[] = [];
  let statements: readonly object[] = Statement;
  let some: string[] = [];
  for (const arn of arns) {
    if (some.length > 0 && characters(part(statements, [...some, arn])) > MOST_CHARACTERS) {
      parts.push(part(statements, some));
      [statements, some] = [listing, []];
    }
    some.push(arn);
  }
  return [...parts, part(statements, some)];
}

const LIST = '["${ProtectedArns}"]';

/** How many characters IAM counts of a policy, at the most. */
export function characters(policy: PolicyFile): number {
  return JSON.stringify(fillPolicy(policy, LONGEST)).length;
}
