import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { centralAccounts, type Configuration, readConfiguration } from '../lib/config.ts';
import { type Account, atHand } from './accounts.ts';
import { clean } from './drill/clean.ts';
import { clients } from './drill/clients.ts';
import { Interrupted, Interruption } from './drill/interruption.ts';
import { NOT_TRIED } from './drill/not-tried.ts';
import { PATH } from './drill/principals.ts';
import { Report } from './drill/report.ts';
import type { Drill, Step } from './drill/step.ts';
import { STEPS } from './drill/steps.ts';
import { Failure } from './failure.ts';
import { DeployedMachine } from './machines.ts';
import { policyIn, readResponsePolicy } from './response-policy.ts';
import { TOP } from './run.ts';
import { isSet } from './variables.ts';

/**
 * Tries on real accounts what only AWS can settle, with users and roles of its own, removes them,
 * and reports on each claim. `CLEAN=1` removes alone.
 */
export async function drill(
  config: string,
  { MEMBER, ...variables }: NodeJS.ProcessEnv,
): Promise<void> {
  const cleansAlone = isSet('CLEAN', variables);
  const expiring = isSet('EXPIRING', variables);
  const configuration = readConfiguration(config);
  const { security, member } = await accounts(configuration, MEMBER);
  const interruption = new Interruption();
  const report = new Report([...STEPS.flatMap(({ claims }) => claims), ...Object.keys(NOT_TRIED)]);
  const machine = await DeployedMachine.find(config, 'cordon-incident-response');
  const common = { configuration, machine, report, expiring };
  // Cleaning goes on where a signal has ended the steps.
  const cleaning = { ...common, security: clients(security), member: clients(member) };
  if (cleansAlone) {
    console.log(`${await clean(cleaning, 'removed')} of what drills have left were removed`);
    return;
  }
  const lacking = await whatLacks(configuration, security);
  announce(cleaning, lacking);
  await clean(cleaning, 'kept');
  const trying: Drill = {
    ...common,
    security: clients(security, interruption),
    member: clients(member, interruption),
  };
  try {
    for (const step of STEPS) await take(step, trying, lacking);
  } finally {
    console.log('all of it is removed …');
    await clean(cleaning, 'removed once it has expired');
  }
  console.log('no drill tries:');
  for (const [claim, why] of Object.entries(NOT_TRIED)) report.notTried(claim, why);
  conclude(report, member);
}

/** Both accounts, or a line that says what is missing. */
async function accounts(
  configuration: Configuration,
  id: string | undefined,
): Promise<{ security: Account; member: Account }> {
  if (!id) throw new Failure('no account to drill in: name a member, as in `MEMBER=222222222222`');
  if (centralAccounts(configuration).includes(id)) {
    throw new Failure(`${id} is no account to drill in: nobody's findings are believed there`);
  }
  const { accounts, lacking, unusable } = await atHand(configuration, [
    configuration.securityAccount,
    id,
  ]);
  if (unusable.length > 0) throw new Failure(unusable.join('\n'));
  const [security, member] = accounts;
  if (security === undefined || member === undefined) {
    throw new Failure(
      `no credentials for ${lacking.join(' and ')}: name profiles under \`profiles\`; one account's may be in the environment`,
    );
  }
  return { security, member };
}

/** What can't be tried with this configuration and response policy, and why. */
type Lacking = Readonly<Partial<Record<NonNullable<Step['needs']>, string>>>;

async function whatLacks({ findings }: Configuration, security: Account): Promise<Lacking> {
  if (findings === 'v2') {
    const why = 'nobody can import a finding into Security Hub without CSPM';
    return { imports: why, containment: why };
  }
  const { text } = await readResponsePolicy(security);
  const { mode = 'contain' } = policyIn(text);
  if (mode === 'contain') return {};
  return {
    containment: `nobody is contained in the mode \`${mode}\`: \`make policy CONFIG=… SET=mode=contain\``,
  };
}

function announce({ security, member }: Drill, lacking: Lacking): void {
  const [here, there] = [member.account.id, security.account.id];
  const incidents =
    lacking.containment === undefined
      ? `Three of them are accused by CRITICAL findings of the account's own default product, and contained: responders get some ten mails, which say "drill".`
      : `No incident is tried: ${lacking.containment}.`;
  console.log(
    [
      `Drill in ${here}, by the security account ${there}, in ${member.account.region}.`,
      `It makes users and roles below ${PATH} in ${here} that may next to nothing, a deny on one of Cordon's roles there that is about these users alone, and rules without a target, a role and a state machine in ${there}. Nobody else is touched.`,
      incidents,
      'It takes some minutes, and costs less than two cents. All of it is removed at the end, whatever happens, but for evidence, which nobody deletes, archived findings, histories and logs.',
    ].join('\n'),
  );
}

/** One step; what it does not come to say is not tried. */
async function take(step: Step, drill: Drill, lacking: Lacking): Promise<void> {
  const { report } = drill;
  console.log(`${step.title} …`);
  let why = step.needs && lacking[step.needs];
  if (why === undefined) {
    try {
      await step.run(drill);
    } catch (error) {
      if (!(error instanceof Error) || error instanceof Interrupted) throw error;
      why = `the step failed: ${error.name}: ${error.message.replace(/\s+/g, ' ')}`;
      process.exitCode = 1;
    }
  }
  for (const claim of step.claims) {
    if (!report.knows(claim)) report.notTried(claim, why ?? 'the step did not come to it');
  }
}

function conclude(report: Report, { id }: Account): void {
  const folder = join(TOP, 'target', 'drill');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${id}.json`);
  writeFileSync(file, `${JSON.stringify(report.lines, null, 2)}\n`);
  const wrong = report.count('did not hold');
  console.log(
    `${report.count('held')} claims held, ${wrong} did not, ${report.count('not tried')} were not tried: ${file}`,
  );
  if (wrong > 0) process.exitCode = 1;
}
