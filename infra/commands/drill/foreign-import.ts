import { BatchImportFindingsCommand } from '@aws-sdk/client-securityhub';
import { refusal, said } from './answers.ts';
import { newName } from './principals.ts';
import { drillFinding } from './findings.ts';
import type { Step } from './step.ts';

/** A finding that nobody would act on, about another account than the one that imports it. */
export const foreignImport: Step = {
  title: 'an archived finding about another account is imported, which Security Hub refuses',
  claims: ['foreign-import-fails'],
  needs: 'imports',
  async run(drill) {
    const {
      configuration: { securityAccount },
      member: { hub },
      report,
    } = drill;
    const finding = {
      ...drillFinding(drill, newName('foreign')),
      AwsAccountId: securityAccount,
      RecordState: 'ARCHIVED' as const,
      Severity: { Label: 'INFORMATIONAL' as const },
    };
    const asked = hub.send(new BatchImportFindingsCommand({ Findings: [finding] }));
    const answer = await refusal(asked);
    if (answer !== undefined) {
      report.refuted('foreign-import-fails', said(answer));
      return;
    }
    const [failed] = (await asked).FailedFindings ?? [];
    const how = failed ? `${failed.ErrorCode}: ${failed.ErrorMessage}` : 'it was imported';
    report.holds('foreign-import-fails', failed?.ErrorCode === 'InvalidInput', how);
  },
};
