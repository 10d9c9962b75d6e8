import { type AwsSecurityFinding, paginateGetFindings } from '@aws-sdk/client-securityhub';
import type { Leftover } from './clean.ts';
import { within } from './answers.ts';
import { ended, findExecution } from './executions.ts';
import { importFinding } from './findings.ts';
import { NAME } from './principals.ts';
import type { Drill } from './step.ts';

/** The drill's findings that are ACTIVE still. Security Hub deletes those that are ARCHIVED. */
export async function* findingsLeft(drill: Drill): AsyncGenerator<Leftover> {
  const is = (Value: string) => [{ Value, Comparison: 'EQUALS' as const }];
  const Filters = {
    GeneratorId: is(NAME),
    AwsAccountId: is(drill.member.account.id),
    RecordState: is('ACTIVE'),
  };
  const pages = paginateGetFindings({ client: drill.security.hub }, { Filters });
  const all: AwsSecurityFinding[] = [];
  for await (const { Findings = [] } of pages) all.push(...Findings);
  for (const finding of all) {
    yield { what: `the finding ${finding.Id}`, remove: () => archive(drill, finding) };
  }
}

/** Waits first for the execution that the finding is about to start, so that none comes later. */
async function archive(drill: Drill, finding: AwsSecurityFinding): Promise<void> {
  const isOpen = finding.Workflow?.Status === 'NEW';
  const execution = isOpen && (await within(30, () => findExecution(drill, finding)));
  if (execution) await ended(drill, execution.value);
  const { SchemaVersion, Id, ProductArn, GeneratorId, AwsAccountId, Types } = finding;
  const { CreatedAt, Severity, Title, Description, Resources } = finding;
  await importFinding(drill.member, {
    ...{ SchemaVersion, Id, ProductArn, GeneratorId, AwsAccountId, Types },
    ...{ CreatedAt, Severity, Title, Description, Resources },
    UpdatedAt: new Date().toISOString(),
    RecordState: 'ARCHIVED',
  });
}
