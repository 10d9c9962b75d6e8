import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Findings } from './config.ts';
import { type PolicyFile, readPolicyFile } from './policy-file.ts';

/** What a step's folder says about it. */
export interface StepFolder {
  /** The folder's name, which is also its binary's: `detach-policies`. */
  readonly name: string;
  /** The same name as the state machine spells it: `DetachPolicies`. */
  readonly state: string;
  /** What its function may do in the security account. */
  readonly executionPolicy: PolicyFile;
  /** The same where Security Hub without CSPM sends the findings, if that differs. */
  readonly executionPolicyV2?: PolicyFile;
  /** What it may do in a member account, if it acts there. */
  readonly memberPolicy?: PolicyFile;
  /** What it may do there besides, where restores put users back into groups. */
  readonly groupsPolicy?: PolicyFile;
}

/** A step that acts in member accounts. */
export type MemberStepFolder = StepFolder & Required<Pick<StepFolder, 'memberPolicy'>>;

export function actsInMembers(step: StepFolder): step is MemberStepFolder {
  return step.memberPolicy !== undefined;
}

/** Whether it is the step whose role grants, which people opt for by naming `restorers`. */
export function grants({ state }: StepFolder): boolean {
  return state === 'ApplyRestore';
}

/**
 * Finds the steps under `functions`, in the order of their names. A folder with neither policy
 * file is a library.
 */
export function discoverSteps(functions: string): StepFolder[] {
  return readdirSync(functions)
    .sort()
    .flatMap((name) => {
      const executionPolicy = join(functions, name, 'execution-policy.json');
      const executionPolicyV2 = join(functions, name, 'execution-policy-v2.json');
      const memberPolicy = join(functions, name, 'member-policy.json');
      const groupsPolicy = join(functions, name, 'groups-policy.json');
      if (!existsSync(executionPolicy) && !existsSync(memberPolicy)) return [];
      return {
        name,
        state: stateName(name),
        executionPolicy: readPolicyFile(executionPolicy),
        ...(existsSync(executionPolicyV2) && {
          executionPolicyV2: readPolicyFile(executionPolicyV2),
        }),
        ...(existsSync(memberPolicy) && { memberPolicy: readPolicyFile(memberPolicy) }),
        ...(existsSync(groupsPolicy) && { groupsPolicy: readPolicyFile(groupsPolicy) }),
      };
    });
}

/** The policy of the step's function, by which Security Hub sends the findings. */
export function executionPolicy(step: StepFolder, findings: Findings): PolicyFile {
  return findings === 'v2'
    ? (step.executionPolicyV2 ?? step.executionPolicy)
    : step.executionPolicy;
}

/** A name as the state machine spells it. */
export function stateName(name: string): string {
  return name.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
