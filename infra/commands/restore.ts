import {
  type HistoryEvent,
  paginateGetExecutionHistory,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  type Credentials,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { type Configuration, readConfiguration } from '../lib/config.ts';
import { RESTORER_ROLE, ROLE_PATH } from '../lib/names.ts';
import { Failure, inALine } from './failure.ts';
import { withConfiguration } from './shell.ts';
import { DeployedMachine } from './machines.ts';

/** What a person decides on, as people write it and as the machine reads it. */
const DISPOSITIONS = new Map([
  ['false-positive', 'falsePositive'],
  ['recovered', 'recovered'],
]);

/**
 * Plans now what a restore of an incident would give back, and prints the plan; with `APPLY`, does
 * what a plan says, and prints what was done.
 */
export async function restore(config: string, variables: NodeJS.ProcessEnv): Promise<void> {
  const configuration = readConfiguration(config);
  const input = requestOf(variables, configuration);
  const machine = await machineOf(config, configuration, variables['BY']);
  const { executionArn = '' } = await machine.client.send(
    new StartExecutionCommand({ stateMachineArn: machine.arn, input: JSON.stringify(input) }),
  );
  console.error(`${executionArn} …`);
  const { status, output = '{}' } = await machine.ended(executionArn);
  if (status !== 'SUCCEEDED') {
    const what = 'apply' in input ? 'the restore is not done to its end' : 'nothing is planned';
    throw new Failure(`${what}: ${await whatFailed(machine, executionArn)}`);
  }
  const { text, digest } = JSON.parse(output) as { text: string; digest?: string };
  console.log(withConfiguration(text, config));
  if (digest !== undefined) console.log(`Plan ${digest}`);
}

/** What the machine is asked for, or a line that says why it is not. */
export function requestOf(
  { EXECUTION, PRINCIPAL, ACCEPT, ACTIVATE, APPLY, REASON, BY, DISPOSITION }: NodeJS.ProcessEnv,
  { restorers }: Pick<Configuration, 'restorers'>,
): Readonly<Record<string, unknown>> {
  if (!EXECUTION) {
    throw new Failure("no incident: give its execution, as in `EXECUTION='arn:…'`");
  }
  if (
    !/^arn:[a-z-]+:states:[^:]+:\d{12}:execution:cordon-incident-response:[^:\s]+$/.test(EXECUTION)
  ) {
    throw new Failure(
      `\`EXECUTION\` is no incident's: give the ARN of an execution of cordon-incident-response, as its mail has it: \`${EXECUTION}\``,
    );
  }
  const incident = { execution: EXECUTION, ...(PRINCIPAL && { principal: PRINCIPAL }) };
  if (!APPLY) return { ...incident, accept: words(ACCEPT), activate: words(ACTIVATE) };
  if (restorers === undefined) {
    throw new Failure(
      'no restore is applied here: name who may have it done as `restorers` in the configuration and `make deploy`, or run the commands that the plan has',
    );
  }
  if (!/^[0-9a-f]{64}$/.test(APPLY)) {
    throw new Failure('`APPLY` is no digest of a plan: give its 64 hexadecimal digits');
  }
  if (ACCEPT || ACTIVATE) {
    throw new Failure('`ACCEPT` and `ACTIVATE` belong to a plan: plan with them, and apply that');
  }
  if (!REASON || !BY) {
    throw new Failure("say why, and who you are: `REASON='…' BY='…'`");
  }
  if (isPlaceholder(REASON, 'why') || isPlaceholder(BY, 'who')) {
    throw new Failure(
      `the record will have these words for good: say why, and who you are, in the place of \`${REASON}\` and \`${BY}\``,
    );
  }
  const disposition = DISPOSITIONS.get(DISPOSITION || 'recovered');
  if (disposition === undefined) {
    const known = [...DISPOSITIONS.keys()].join(' or ');
    throw new Failure(`\`DISPOSITION\` is \`${DISPOSITION}\`: write ${known}`);
  }
  return { ...incident, apply: APPLY, reason: REASON, by: BY, disposition };
}

/** Whether it is what stands in a mail or a README for what is to be said. */
function isPlaceholder(text: string, word: string): boolean {
  return [word, `<${word}>`, '…'].includes(text.trim());
}

/** The machine as the person may start it: where restorers are named, by the role of theirs. */
async function machineOf(
  config: string,
  configuration: Configuration,
  by: string | undefined,
): Promise<DeployedMachine> {
  const { partition, region, securityAccount, restorers, profiles } = configuration;
  if (restorers === undefined) return DeployedMachine.find(config, 'cordon-restore');
  // A restorer may be of any account.
  const profile = profiles[securityAccount];
  const person = new STSClient({ region, ...(profile !== undefined && { profile }) });
  const session = {
    RoleArn: `arn:${partition}:iam::${securityAccount}:role${ROLE_PATH}${RESTORER_ROLE}`,
    RoleSessionName: sessionName(by),
  };
  const admitted = await letIn(person, session, restorers);
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = admitted ?? {};
  const credentials = {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
  };
  return new DeployedMachine(
    new SFNClient({ region, credentials }),
    `arn:${partition}:states:${region}:${securityAccount}:stateMachine:cordon-restore`,
  );
}

/** The session of a restorer. Who is none is told who is one, and what else there is to do. */
export async function letIn(
  person: STSClient,
  session: AssumeRoleCommandInput,
  restorers: readonly string[],
): Promise<Credentials | undefined> {
  // A profile may take on a role of its own first, whose refusal is another.
  await person.config.credentials();
  try {
    return (await person.send(new AssumeRoleCommand(session))).Credentials;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AccessDenied') throw error;
    const whose = await caller(person);
    throw new Failure(
      [
        `the credentials at hand${whose} are not let into \`${session.RoleArn}\`, by which restores are planned and applied: ${inALine(error)}`,
        `it lets in only whom \`restorers\` of the configuration names: ${restorers.join(', ')}. Take credentials of one of them; who is of another account has to be allowed \`sts:AssumeRole\` on that role there, too`,
        'whoever was named since the last deployment needs a `make deploy`; whoever was made again under such a name is taken out, deployed, put in and deployed again, since IAM keeps unique ids',
        'where there is a plan, its own mail has the commands that do the same by hand',
      ].join('\n'),
    );
  }
}

/** Whose credentials they are, to go on with; nothing, where STS does not say it. */
async function caller(person: STSClient): Promise<string> {
  try {
    const { Arn } = await person.send(new GetCallerIdentityCommand());
    return Arn === undefined ? '' : `, those of \`${Arn}\`,`;
  } catch {
    return '';
  }
}

/** Who it is, as far as STS takes it for a session's name: CloudTrail then says so. */
export function sessionName(by = ''): string {
  const taken = by.replace(/[^\w+=,.@-]+/g, '-').slice(0, 64);
  return taken.length < 2 ? `restorer-${taken}` : taken;
}

/** Names with space between them; an item's own name may have some, after a backslash. */
function words(text = ''): string[] {
  const found = text.match(/(?:\\.|\S)+/g) ?? [];
  return found.map((word) => word.replace(/\\(.)/g, '$1'));
}

/** The failure that people were told of, in the words of the function or service. */
async function whatFailed(machine: DeployedMachine, executionArn: string): Promise<string> {
  const pages = paginateGetExecutionHistory(
    { client: machine.client },
    { executionArn, reverseOrder: true },
  );
  for await (const { events = [] } of pages) {
    const found = events.map(failureOf).find((failure) => failure !== undefined);
    if (found !== undefined) return found;
  }
  return `see ${executionArn}`;
}

function failureOf(event: HistoryEvent): string | undefined {
  const failed = event.taskFailedEventDetails ?? event.taskTimedOutEventDetails;
  if (failed === undefined) return undefined;
  const { error = '', cause = '' } = failed;
  return `${error}: ${message(cause)}`;
}

/** A function's cause is JSON. */
function message(cause: string): string {
  try {
    const { errorMessage } = JSON.parse(cause) as { errorMessage?: string };
    return errorMessage ?? cause;
  } catch {
    return cause;
  }
}
