import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  type ExecutionListItem,
  type ExecutionStatus,
  paginateListExecutions,
  paginateListStateMachines,
  SFNClient,
} from '@aws-sdk/client-sfn';
import { setTimeout } from 'node:timers/promises';
import { readConfiguration } from '../lib/config.ts';
import { clientOf, theAccount } from './accounts.ts';
import { Failure } from './failure.ts';

export const DAY = 24 * 60 * 60 * 1000;

/** Days within which Step Functions redrives an execution that has ended (`RedriveExecution`). */
const REDRIVABLE_DAYS = 14;

/** When an execution must have ended, at the earliest, to be redriven now. */
export function redrivableSince(): Date {
  return new Date(Date.now() - REDRIVABLE_DAYS * DAY);
}

/** A state machine of ours where it is deployed. */
export class DeployedMachine {
  readonly client: SFNClient;
  readonly arn: string;

  constructor(client: SFNClient, arn: string) {
    this.client = client;
    this.arn = arn;
  }

  /** The one of that name in the security account of the configuration at `config`. */
  static async find(config: string, name: string): Promise<DeployedMachine> {
    const configuration = readConfiguration(config);
    const { securityAccount, region } = configuration;
    const client = new SFNClient(clientOf(await theAccount(configuration, securityAccount)));
    for await (const { stateMachines = [] } of paginateListStateMachines({ client }, {})) {
      const arn = stateMachines.find((machine) => machine.name === name)?.stateMachineArn;
      if (arn !== undefined) return new DeployedMachine(client, arn);
    }
    throw new Failure(
      `${securityAccount} has no state machine \`${name}\` in ${region}: deploy it`,
    );
  }

  /** The execution as it has ended. */
  async ended(executionArn: string): Promise<DescribeExecutionCommandOutput> {
    for (;;) {
      const described = await this.describe(executionArn);
      if (described.status !== 'RUNNING') return described;
      await setTimeout(1_000);
    }
  }

  describe(executionArn: string): Promise<DescribeExecutionCommandOutput> {
    return this.client.send(new DescribeExecutionCommand({ executionArn }));
  }

  /** The executions that ended so since then, the newest first. */
  async endedSince(since: Date, statusFilter: ExecutionStatus): Promise<ExecutionListItem[]> {
    const pages = paginateListExecutions(
      { client: this.client },
      { stateMachineArn: this.arn, statusFilter },
    );
    const found: ExecutionListItem[] = [];
    for await (const page of pages) found.push(...(page.executions ?? []));
    return found.filter(({ stopDate }) => stopDate !== undefined && stopDate > since);
  }
}
