import { RegionInfo } from 'aws-cdk-lib/region-info';
import { type Mistake, quoted } from './schema.ts';
import { toldPrincipals } from './told-principals.ts';

/** The external id in the README's example, which everybody knows. */
export const EXAMPLE_EXTERNAL_ID = 'a-long-random-text';

/** Fewer characters than these can be tried. */
const SHORT_EXTERNAL_ID = 16;

const PARTITIONS = ['aws', 'aws-cn', 'aws-us-gov'];

/** A text of the document, and where in it. */
interface Text {
  readonly at: string;
  readonly text: string;
}

/**
 * What no schema can say of a configuration. What is of another type than the schema's is passed
 * over here.
 */
export function mistakes(document: unknown): Mistake[] {
  const everybodys = principals(document).filter(({ text }) => fitsEverybody(text));
  return [
    ...everybodys.map(({ at, text }) => ({
      at,
      wrong: `is ${quoted(text)}, which fits everybody, so nobody would be contained`,
      remedy: 'name whom you mean',
    })),
    ...ofOtherPartitions(document, text(document, 'region')),
    ...groupsOfNobody(document),
    ...securityInManagement(document),
  ];
}

/** StackSets take no calls of a delegate there, and service control policies do not hold. */
function securityInManagement(document: unknown): Mistake[] {
  const account = text(document, 'managementAccount');
  if (account === undefined || account !== text(document, 'securityAccount')) return [];
  return [
    {
      at: 'managementAccount',
      wrong: 'is the security account, too, where no service control policy would guard the roles',
      remedy: 'have another account administer Security Hub, and name that as `securityAccount`',
    },
  ];
}

function groupsOfNobody(document: unknown): Mistake[] {
  if (member(document, 'restoreGroups') !== true) return [];
  if (member(document, 'restorers') !== undefined) return [];
  return [
    {
      at: 'restoreGroups',
      wrong: 'is `true` without `restorers`, so that nobody could have a restore applied',
      remedy: 'name them, or leave both out',
    },
  ];
}

function ofOtherPartitions(document: unknown, region: string | undefined): Mistake[] {
  if (region === undefined) return [];
  const { partition = '' } = RegionInfo.get(region);
  if (!PARTITIONS.includes(partition)) {
    const wrong = `is ${quoted(region)}, of no partition that is supported`;
    return [{ at: 'region', wrong, remedy: `write a Region of ${PARTITIONS.join(', ')}` }];
  }
  return arns(document).flatMap(({ at, text }) => {
    const [, of = ''] = text.split(':');
    if (of === partition || of.includes('*')) return [];
    const remedy = `write arn:${partition}:…, as the Region has it`;
    return [{ at, wrong: `is of the partition ${of}`, remedy }];
  });
}

/** What can be deployed, and may not be meant. */
export function doubts(document: unknown): Mistake[] {
  const responders = endpoints(document, 'responders');
  const operations = endpoints(document, 'operations');
  const both = operations.filter(({ text }) => responders.some((one) => one.text === text));
  const nobodys = [...responders, ...operations].filter(({ text }) =>
    /[@/.]example\.(com|net|org)\b/.test(text),
  );
  return [
    ...weakExternalId(text(document, 'externalId')),
    ...both.map(({ at, text }) => ({
      at,
      wrong: `is ${quoted(text)}, which is told of incidents, too`,
      remedy: "name another, who is told when the responders' way fails",
    })),
    ...nobodys.map(({ at, text }) => ({
      at,
      wrong: `is ${quoted(text)}, where nobody is`,
      remedy: 'write where somebody reads it',
    })),
    ...ofNobody(document),
    ...over(document),
    ...untoldPrincipals(document),
    ...noAccounts(document),
  ];
}

/** A scope without an account in it, as what is taken from the last one leaves it. */
function noAccounts(document: unknown): Mistake[] {
  const scope = member(member(document, 'responsePolicy'), 'accountsInScope');
  return Array.isArray(scope) && scope.length === 0
    ? [
        {
          at: 'responsePolicy.accountsInScope',
          wrong: 'is `[]`, so every finding is ignored',
          remedy: 'leave it out for all accounts',
        },
      ]
    : [];
}

/** Patterns that can't be of anybody: a name alone, for instance, or a slip in an ARN. */
function ofNobody(document: unknown): Mistake[] {
  return [
    ...exemptions(document).map((one) => ({ ...one, does: 'exempts' })),
    ...protectedOnes(document).map((one) => ({ ...one, does: 'protects' })),
  ]
    .filter(({ text }) => !fitsSomebody(text))
    .map(({ at, text, does }) => ({
      at,
      wrong: `is ${quoted(text)}, which fits the ARN of no user and no role, so it ${does} nobody`,
      remedy: 'write an ARN pattern, such as arn:aws:iam::*:user/deploy',
    }));
}

/** Exemptions whose end is past, as that of a mail which is read late. */
function over(document: unknown): Mistake[] {
  const policy = member(document, 'responsePolicy');
  return ['exemptPrincipals', 'exemptAccounts'].flatMap((list) =>
    elements(policy, list).flatMap((one, n) => {
      const until = text(one, 'until');
      if (until === undefined || !(Date.parse(until) < Date.now())) return [];
      return [
        {
          at: `responsePolicy.${list}[${n}].until`,
          wrong: `is ${quoted(until)}, which is past, so it exempts nobody any more`,
          remedy: 'write a later one, or take the exemption out',
        },
      ];
    }),
  );
}

/** More of whom no step touches than the steps can be told of. */
function untoldPrincipals(document: unknown): Mistake[] {
  const listed = (key: string) => texts(document, key).map(({ text }) => text);
  const all = {
    operators: listed('operators'),
    protectedPrincipals: listed('protectedPrincipals'),
  };
  const told = toldPrincipals(all, text(document, 'externalId') ?? '');
  return (['operators', 'protectedPrincipals'] as const).flatMap((at) => {
    const past = all[at].length - told[at].length;
    if (past === 0) return [];
    return [
      {
        at,
        wrong: `is longer than what fits beside a function: no step touches the last ${past} either, but mails about them tell of a failure`,
        remedy: 'name several by one pattern',
      },
    ];
  });
}

function weakExternalId(externalId: string | undefined): Mistake[] {
  const wrong =
    externalId === EXAMPLE_EXTERNAL_ID
      ? "is that of the README's example, which everybody knows"
      : externalId !== undefined && externalId.length < SHORT_EXTERNAL_ID
        ? `has only ${externalId.length} characters`
        : undefined;
  const remedy = 'write what `openssl rand -hex 16` prints, before members are deployed';
  return wrong === undefined ? [] : [{ at: 'externalId', wrong, remedy }];
}

/** Names that nobody has, so that what fits them fits everybody. */
const NOBODYS_NAME = '='.repeat(64);

/** Whether the pattern fits every user, or every role, of every account of some partition. */
function fitsEverybody(pattern: string): boolean {
  const regex = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return PARTITIONS.some((partition) =>
    ['user', 'role'].some((kind) =>
      new RegExp(`^${regex}$`, 'is').test(
        `arn:${partition}:iam::000000000000:${kind}/${NOBODYS_NAME}`,
      ),
    ),
  );
}

/** A character of an ARN: this one, or one of these; `MORE` is any number of its own. */
type Place = string | RegExp;

const MORE = /[!-\x7f]/;

/** Whether some user or role of some account has, or could be given, an ARN that fits the pattern. */
function fitsSomebody(pattern: string): boolean {
  return PARTITIONS.some((partition) =>
    ['user', 'role'].some((kind) => {
      const account = Array.from({ length: 12 }, () => /\d/);
      // A path, if there is one, and a name's last character.
      const rest = [MORE, /[\w+=,.@-]/];
      return canFit(pattern, [...`arn:${partition}:iam::`, ...account, ...`:${kind}/`, ...rest]);
    }),
  );
}

/** Whether some text of these places fits the pattern, by the rules of `incident::matches_pattern`. */
function canFit(pattern: string, places: readonly Place[]): boolean {
  // From each place on, whether what is left of the places can fit what is left of the pattern.
  let fits = [...places.map(() => false), true];
  for (const letter of [...pattern.toLowerCase()].reverse()) {
    const after = fits;
    fits = after.map(() => false);
    for (let n = places.length; n >= 0; n -= 1) {
      const place = places[n];
      const skipped = fits[n + 1] ?? false;
      if (letter === '*') fits[n] = after[n] || skipped;
      else if (place === MORE) fits[n] = (isOf(place, letter) && after[n]) || skipped;
      else fits[n] = place !== undefined && isOf(place, letter) && (after[n + 1] ?? false);
    }
  }
  return fits[0] ?? false;
}

function isOf(place: Place, letter: string): boolean {
  return letter === '?' || (typeof place === 'string' ? place === letter : place.test(letter));
}

/** Whom no step touches. */
function principals(document: unknown): Text[] {
  return [...protectedOnes(document), ...exemptions(document)];
}

function protectedOnes(document: unknown): Text[] {
  return [...texts(document, 'protectedPrincipals'), ...texts(document, 'operators')];
}

/** Whom the response policy exempts: patterns, or objects with one. */
function exemptions(document: unknown): Text[] {
  const all = elements(member(document, 'responsePolicy'), 'exemptPrincipals');
  return all.flatMap((one, n) => {
    const pattern = typeof one === 'string' ? one : text(one, 'principal');
    return pattern === undefined
      ? []
      : [{ at: `responsePolicy.exemptPrincipals[${n}]`, text: pattern }];
  });
}

/** ARNs that have to be of the Region's partition. */
function arns(document: unknown): Text[] {
  const boundary = text(document, 'permissionsBoundary') ?? '';
  return [
    ...texts(document, 'protectedPrincipals'),
    ...texts(document, 'operators'),
    ...texts(document, 'restorers'),
    ...endpoints(document, 'responders'),
    ...endpoints(document, 'operations'),
    { at: 'permissionsBoundary', text: boundary },
  ].filter(({ text }) => text.startsWith('arn:'));
}

function endpoints(document: unknown, key: string): Text[] {
  return elements(document, key).flatMap((subscriber, n) => {
    const endpoint = text(subscriber, 'endpoint');
    return endpoint === undefined ? [] : [{ at: `${key}[${n}].endpoint`, text: endpoint }];
  });
}

function texts(document: unknown, key: string): Text[] {
  return elements(document, key).flatMap((text, n) =>
    typeof text === 'string' ? [{ at: `${key}[${n}]`, text }] : [],
  );
}

function elements(document: unknown, key: string): readonly unknown[] {
  const value = member(document, key);
  return Array.isArray(value) ? value : [];
}

function text(document: unknown, key: string): string | undefined {
  const value = member(document, key);
  return typeof value === 'string' ? value : undefined;
}

function member(document: unknown, key: string): unknown {
  return typeof document === 'object' && document !== null
    ? (document as Record<string, unknown>)[key]
    : undefined;
}
