import { isDeepStrictEqual } from 'node:util';
import { type Configuration, parseConfiguration, readConfiguration } from '../lib/config.ts';
import { theAccount } from './accounts.ts';
import { Failure } from './failure.ts';
import { readResponsePolicy, writeResponsePolicy } from './response-policy.ts';

type Policy = Readonly<Record<string, unknown>>;

/** Shows the live response policy, or changes one field of it (`SET=mode=observe`). */
export async function policy(config: string, { SET }: NodeJS.ProcessEnv): Promise<void> {
  const configuration = readConfiguration(config);
  const account = await theAccount(configuration, configuration.securityAccount);
  const live = await readResponsePolicy(account);
  if (!SET) {
    console.log(live.text);
    check(configuration, parsed(live.text));
    return;
  }
  const before = parsed(live.text);
  const after = changed(before, SET);
  check(configuration, after);
  if (isDeepStrictEqual(before, after)) {
    console.log(`version ${live.version} says so already:\n${live.text}`);
    return;
  }
  const version = await writeResponsePolicy(account, after);
  console.log(
    `version ${version} counts from the next finding on:\n${JSON.stringify(after, null, 2)}`,
  );
  if (version !== live.version + 1) {
    console.error(
      `warning: somebody else changed the response policy since version ${live.version}, and that is overwritten: see \`aws ssm get-parameter-history --name /cordon/response-policy\``,
    );
  }
}

function parsed(text: string): Policy {
  try {
    const policy: unknown = JSON.parse(text);
    if (typeof policy === 'object' && policy !== null && !Array.isArray(policy)) {
      return policy as Policy;
    }
  } catch {
    // It is told below, like any other text that is no object.
  }
  throw new Failure(
    'the live response policy is no JSON object, so nobody is contained: put a right one back (`aws ssm get-parameter-history --name /cordon/response-policy` has the former ones)',
  );
}

/** The policy with one field set, added to (`exemptPrincipals+=…`), or left out (`mode=`). */
export function changed(policy: Policy, set: string): Policy {
  const [, field, plus, text] = /^(\w+)(\+?)=([^]*)$/.exec(set) ?? [];
  if (field === undefined || text === undefined) {
    throw new Failure(
      `\`SET\` is no change of a field, as \`mode=observe\`, \`containRoles=true\` or \`exemptAccounts+="222222222222"\` are: \`${set}\``,
    );
  }
  const { [field]: former, ...others } = policy;
  if (text === '') return others;
  if (plus === '') return { ...others, [field]: value(text) };
  const list = former ?? [];
  if (!Array.isArray(list)) throw new Failure(`\`${field}\` is no list, so nothing is added to it`);
  const added = value(text);
  const there = list.some((one) => isDeepStrictEqual(one, added));
  return { ...others, [field]: there ? list : [...list, added] };
}

/** What is no JSON is a text, for which nobody wants to write quotation marks in a shell. */
function value(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** By the rules of `responsePolicy` in the configuration, which are those of whoever reads it. */
function check({ partition: _, ...configuration }: Configuration, responsePolicy: Policy): void {
  parseConfiguration({ ...configuration, responsePolicy }, '/');
}
