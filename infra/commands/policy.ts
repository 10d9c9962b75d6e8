import { isDeepStrictEqual } from 'node:util';
import {
  type Configuration,
  ConfigurationError,
  parseConfiguration,
  readConfiguration,
} from '../lib/config.ts';
import { theAccount } from './accounts.ts';
import { warn } from '../lib/say-mistakes.ts';
import { Failure } from './failure.ts';
import {
  type Policy,
  policyIn,
  readResponsePolicy,
  saidOfFirst,
  writeResponsePolicy,
} from './response-policy.ts';

/** Shows the live response policy, or changes one field of it (`SET=mode=observe`). Warns of doubts. */
export async function policy(config: string, { SET }: NodeJS.ProcessEnv): Promise<void> {
  const configuration = readConfiguration(config);
  const account = await theAccount(configuration, configuration.securityAccount);
  const live = await readResponsePolicy(account);
  if (!SET) {
    console.log(live.text);
    console.error(saidOfFirst(policyIn(live.text))[0]);
    const wrong = mistakes(configuration, policyIn(live.text));
    if (wrong.length > 0) throw new Failure(wrong.join('\n'));
    warn({ responsePolicy: policyIn(live.text) }, 'responsePolicy');
    return;
  }
  const before = policyIn(live.text);
  const after = changed(before, SET);
  const { made, kept } = madeBy(configuration, before, after);
  if (made.length > 0) throw new Failure(made.join('\n'));
  for (const each of kept) console.error(`warning: ${each}`);
  const gone = /^\w+\+=/.test(SET) ? replaced(before, after) : [];
  for (const each of gone) console.error(`in the place of ${each}`);
  warn({ responsePolicy: after }, 'responsePolicy');
  if (isDeepStrictEqual(before, after)) {
    console.log(`version ${live.version} says so already:\n${live.text}`);
    return;
  }
  const version = await writeResponsePolicy(account, after);
  console.log(
    `version ${version} counts from the next finding on:\n${JSON.stringify(after, null, 2)}`,
  );
  console.error(saidOfFirst(after)[0]);
  if (version !== live.version + 1) {
    console.error(
      `warning: somebody else changed the response policy since version ${live.version}, and that is overwritten: see \`aws ssm get-parameter-history --name /cordon/response-policy\``,
    );
  }
}

/**
 * The policy with one field set, added to (`exemptPrincipals+=…`), taken from (`exemptPrincipals-=…`),
 * or left out (`mode=`).
 */
export function changed(policy: Policy, set: string): Policy {
  const [, field, sign, text] = /^(\w+)([+-]?)=([^]*)$/.exec(set) ?? [];
  if (field === undefined || text === undefined) {
    throw new Failure(
      `\`SET\` is no change of a field, as \`mode=observe\`, \`containRoles=true\` or \`exemptAccounts+="222222222222"\` are: \`${set}\``,
    );
  }
  const { [field]: former, ...others } = policy;
  if (sign === '') return text === '' ? others : { ...others, [field]: value(text) };
  if (text === '') throw new Failure(`\`SET\` says nothing after \`${field}${sign}=\``);
  const named = value(text);
  const list: unknown = former ?? [];
  if (!Array.isArray(list)) {
    throw new Failure(`\`${field}\` is no list, so nothing is added to it or taken from it`);
  }
  if (sign === '+') {
    const there = list.some((one) => isDeepStrictEqual(one, named));
    const kept = list.filter((one) => !isOutlasted(one, named));
    return { ...others, [field]: there ? list : [...kept, named] };
  }
  const rest = list.filter((one) => !isNamed(one, named));
  if (rest.length === list.length) throw new Failure(`\`${field}\` has no ${text}`);
  return { ...others, [field]: rest };
}

/** Whether another entry is about the same principal or account, and stands at least as long. */
function isOutlasted(entry: unknown, other: unknown): boolean {
  const [one, two] = [entry, other].map((each) =>
    typeof each === 'object' && each !== null ? (each as Policy) : {},
  );
  const about = (each?: Policy): unknown => each?.['principal'] ?? each?.['account'];
  const [end, otherEnd] = [one?.['until'], two?.['until']];
  const isLonger = otherEnd === undefined || (end !== undefined && String(end) <= String(otherEnd));
  return about(one) !== undefined && about(one) === about(two) && isLonger;
}

/** The exemptions that are in the policy no more once something was added, as JSON. */
export function replaced(before: Policy, after: Policy): readonly string[] {
  return ['exemptPrincipals', 'exemptAccounts'].flatMap((field) => {
    const [was, is] = [before[field], after[field]];
    if (!Array.isArray(was) || !Array.isArray(is)) return [];
    const gone = was.filter((one) => !is.some((other) => isDeepStrictEqual(one, other)));
    return gone.map((one) => JSON.stringify(one));
  });
}

/** Whether an entry is what somebody names: whole, or by the text that it is about. */
function isNamed(entry: unknown, named: unknown): boolean {
  if (isDeepStrictEqual(entry, named)) return true;
  const { principal, account, product } = (entry ?? {}) as Policy;
  return typeof named === 'string' && [principal, account, product].includes(named);
}

/** What is no JSON, or an account's id, is a text, without quotation marks that a shell would eat. */
function value(text: string): unknown {
  if (/^\d{12}$/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * What is wrong with the policy after a change, a line for each: made by it, or there before, which
 * keeps nobody from the kill switch.
 */
export function madeBy(
  configuration: Configuration,
  before: Policy,
  after: Policy,
): { made: readonly string[]; kept: readonly string[] } {
  const known = mistakes(configuration, before).map(anywhereInList);
  const made: string[] = [];
  const kept: string[] = [];
  for (const mistake of mistakes(configuration, after)) {
    const index = known.indexOf(anywhereInList(mistake));
    if (index >= 0) known.splice(index, 1);
    (index < 0 ? made : kept).push(mistake);
  }
  return { made, kept };
}

/** A mistake without its entry's place in a list: what is taken out has those after it move up. */
function anywhereInList(mistake: string): string {
  return mistake.replace(/^`[^`]*`/, (at) => at.replace(/\[\d+\]/g, '[]'));
}

/** By the rules of `responsePolicy` in the configuration, which are those of whoever reads it. */
function mistakes(
  { partition: _, ...configuration }: Configuration,
  responsePolicy: Policy,
): readonly string[] {
  const document = { ...configuration, responsePolicy };
  try {
    parseConfiguration(document, '/');
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message.split('\n');
    throw error;
  }
  return [];
}
