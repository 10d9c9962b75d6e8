import {
  BatchUpdateFindingsCommand,
  type BatchUpdateFindingsCommandInput,
} from '@aws-sdk/client-securityhub';
import { fileURLToPath } from 'node:url';
import { fillPolicy, readPolicyFile } from '../../lib/policy-file.ts';
import { isRefused, PATIENCE, refusal, said, within } from './answers.ts';
import { drillFinding, importFinding } from './findings.ts';
import { NAME, newName, newRole, session, type Statement } from './principals.ts';
import type { Drill, Step } from './step.ts';

const RESOLVE = fileURLToPath(
  new URL('../../../functions/resolve/execution-policy.json', import.meta.url),
);

type Update = Omit<BatchUpdateFindingsCommandInput, 'FindingIdentifiers'>;

const RESOLVED: Update = { Workflow: { Status: 'RESOLVED' } };

/** What Resolve's policy leaves to others, each with a status that it does not. */
const REFUSED: Readonly<Record<string, Update>> = {
  'Workflow.Status': { Workflow: { Status: 'NEW' } },
  Confidence: { ...RESOLVED, Confidence: 1 },
  Criticality: { ...RESOLVED, Criticality: 1 },
  'Severity.Label': { ...RESOLVED, Severity: { Label: 'LOW' } },
  'Severity.Normalized': { ...RESOLVED, Severity: { Normalized: 1 } },
  'Severity.Product': { ...RESOLVED, Severity: { Product: 1 } },
  Types: { ...RESOLVED, Types: ['Software and Configuration Checks'] },
  VerificationState: { ...RESOLVED, VerificationState: 'BENIGN_POSITIVE' },
};

/** A role with Resolve's own policy updates an archived finding that nobody would act on. */
export const resolvePaths: Step = {
  title: "an archived finding is updated by a role with Resolve's policy, field by field",
  claims: ['asff-paths'],
  needs: 'imports',
  async run(drill) {
    const { configuration, member, security, report } = drill;
    const finding = {
      ...drillFinding(drill, newName('updated')),
      RecordState: 'ARCHIVED' as const,
      Severity: { Label: 'INFORMATIONAL' as const },
    };
    await importFinding(member, finding);
    const role = await newRole(configuration, security, 'resolve', statements(drill));
    const { hub } = await session(security, role);
    const { Id, ProductArn } = finding;
    const related = { ...RESOLVED, RelatedFindings: [{ ProductArn, Id }] };
    const update = (what: Update) =>
      refusal(
        hub.send(
          new BatchUpdateFindingsCommand({ ...what, FindingIdentifiers: [{ Id, ProductArn }] }),
        ),
      );
    const Note = { Text: 'a drill', UpdatedBy: NAME };
    const whole = { ...RESOLVED, Note, UserDefinedFields: { [NAME]: 'true' } };
    const wrong: string[] = [];
    let answer: Error | undefined;
    const taken = await within(PATIENCE, async () => {
      answer = await update(whole);
      return answer === undefined ? true : undefined;
    });
    if (taken === undefined) wrong.push(`what Resolve writes: ${said(answer)}`);
    for (const [field, what] of Object.entries({ ...REFUSED, RelatedFindings: related })) {
      answer = await update(what);
      if (!isRefused(answer)) wrong.push(`${field}: ${said(answer)}`);
    }
    const how = wrong.length === 0 ? Object.keys(REFUSED).join(', ') : wrong.join('; ');
    report.holds('asff-paths', wrong.length === 0, how);
  },
};

/** The statements of Resolve's policy, as they are deployed. */
function statements({ configuration, security }: Drill): readonly Statement[] {
  const document = fillPolicy(readPolicyFile(RESOLVE), {
    'AWS::Partition': configuration.partition,
    'AWS::AccountId': security.account.id,
    LogGroupArn: `arn:${configuration.partition}:logs:*:*:log-group:${NAME}`,
  });
  return (document as { Statement: readonly Statement[] }).Statement;
}
