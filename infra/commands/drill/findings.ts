import {
  type AwsSecurityFinding,
  BatchImportFindingsCommand,
  GetFindingsCommand,
} from '@aws-sdk/client-securityhub';
import { Failure } from '../failure.ts';
import { NAME, type Principal } from './principals.ts';
import type { Clients } from './clients.ts';
import type { Drill } from './step.ts';

/** Imports a finding that says of a user what has Cordon contain it. */
export async function accuse(drill: Drill, { name, arn }: Principal): Promise<AwsSecurityFinding> {
  const finding = {
    ...drillFinding(drill, name),
    Resources: [{ Type: 'AwsIamUser', Id: arn }],
  };
  await importFinding(drill.member, finding);
  return finding;
}

/** A finding of the member account's own default product. */
export function drillFinding(
  { configuration: { partition }, member }: Drill,
  id: string,
): AwsSecurityFinding {
  const { id: account, region } = member.account;
  const now = new Date().toISOString();
  return {
    SchemaVersion: '2018-10-08',
    Id: id,
    GeneratorId: NAME,
    AwsAccountId: account,
    ProductArn: `arn:${partition}:securityhub:${region}:${account}:product/${account}/default`,
    Types: ['Software and Configuration Checks/AWS Security Best Practices'],
    CreatedAt: now,
    UpdatedAt: now,
    Severity: { Label: 'CRITICAL' },
    Title: 'A drill of Cordon: an IAM user has administrator rights',
    Description: 'It has none: `make drill` made it, and removes it.',
    Resources: [{ Type: 'AwsAccount', Id: `AWS::::Account:${account}` }],
  };
}

/** Imports a finding by the account's own default product. */
export async function importFinding({ hub }: Clients, finding: AwsSecurityFinding): Promise<void> {
  const answer = await hub.send(new BatchImportFindingsCommand({ Findings: [finding] }));
  const [failed] = answer.FailedFindings ?? [];
  if (failed !== undefined) {
    throw new Failure(`Security Hub did not import it: ${failed.ErrorCode} ${failed.ErrorMessage}`);
  }
}

/** The finding as Security Hub has it. */
export async function recorded(
  { hub }: Clients,
  { Id, ProductArn }: AwsSecurityFinding,
): Promise<AwsSecurityFinding | undefined> {
  const is = (Value: string | undefined) => [{ Value, Comparison: 'EQUALS' as const }];
  const Filters = { Id: is(Id), ProductArn: is(ProductArn) };
  const { Findings: [found] = [] } = await hub.send(new GetFindingsCommand({ Filters }));
  return found;
}
