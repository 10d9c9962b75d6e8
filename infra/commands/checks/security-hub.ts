import {
  DescribeHubCommand,
  DescribeSecurityHubV2Command,
  GetAggregatorV2Command,
  GetFindingAggregatorCommand,
  paginateListAggregatorsV2,
  paginateListFindingAggregators,
  SecurityHubClient,
} from '@aws-sdk/client-securityhub';
import type { Configuration, Findings, Partition } from '../../lib/config.ts';
import { type Account, clientOf } from '../accounts.ts';
import { type Check, type Finding, ok, unless, warning, wrong } from './check.ts';

/** Which of the two are on. */
export type Hubs = Readonly<Record<Findings, boolean>>;

/** How findings of other Regions come to the home Region. */
export interface Aggregation {
  readonly home: string;
  readonly mode: string;
  /** Those that are linked; those that are not, where the mode is to link all others. */
  readonly regions: readonly string[];
}

const CALLED: Readonly<Record<Findings, string>> = {
  cspm: 'Security Hub CSPM',
  v2: 'Security Hub without CSPM',
};

/**
 * The Region of each partition to which AWS Health sends events that are of no Region, such as a
 * key that is exposed (AWS Health User Guide, "Accessing the AWS Health API"; the global endpoint's
 * Regions).
 */
const OF_HEALTH: Readonly<Record<Partition, string>> = {
  aws: 'us-east-1',
  'aws-cn': 'cn-northwest-1',
  'aws-us-gov': 'us-gov-west-1',
};

/** Whether the feed that is configured is on, and all of it arrives. */
export function securityHub(configuration: Configuration, account: Account): Check {
  const client = new SecurityHubClient(clientOf(account));
  return {
    about: 'whether Security Hub is on and aggregates',
    ask: async () => {
      const hubs = { cspm: await hasCspm(client), v2: await hasV2(client) };
      const hub = judgeHubs(configuration, hubs);
      if (hub.verdict === 'wrong') return [hub];
      return [hub, judgeAggregation(configuration, await aggregation(client, configuration))];
    },
  };
}

export function judgeHubs({ findings, region }: Configuration, hubs: Hubs): Finding {
  const other = findings === 'cspm' ? 'v2' : 'cspm';
  const called = `${CALLED[findings]} in ${region}, whose findings are awaited,`;
  if (!hubs[findings]) {
    const instead = hubs[other] ? `, or write \`"findings": "${other}"\`, which is on` : '';
    return wrong(`${called} is off`, `turn it on${instead}`);
  }
  if (findings === 'v2' && hubs.cspm) {
    return warning(
      `${called} is on, and so is CSPM, which tells more`,
      'write `"findings": "cspm"`',
    );
  }
  return ok(`${called} is on`);
}

export function judgeAggregation(
  { findings, partition, region }: Configuration,
  aggregation: Aggregation | undefined,
): Finding {
  const ofHealth = OF_HEALTH[partition];
  if (aggregation === undefined) {
    const create = findings === 'v2' ? 'create-aggregator-v2' : 'create-finding-aggregator';
    return warning(
      `only findings of ${region} arrive, since no Region aggregates`,
      `aws securityhub ${create} --region ${region} --region-linking-mode ALL_REGIONS`,
    );
  }
  if (aggregation.home !== region) {
    return wrong(
      `findings are aggregated in ${aggregation.home}, and \`region\` is ${region}`,
      'write the home Region, or move it',
    );
  }
  const { mode } = aggregation;
  if (mode !== 'ALL_REGIONS') {
    const isHeard = region === ofHealth || isLinked(aggregation, ofHealth);
    const unheard = isHeard
      ? ''
      : `; ${ofHealth} is not linked, from where AWS Health tells of exposed keys`;
    return warning(
      `${whatArrives(aggregation)} (${mode})${unheard}`,
      `link all to the home Region ${region}, by the mode ALL_REGIONS, unless that is meant`,
    );
  }
  return ok(`${region} aggregates findings (${mode}), those of AWS Health among them`);
}

/** Of which Regions there are findings, where it is not of all. */
function whatArrives({ home, mode, regions }: Aggregation): string {
  if (mode === 'ALL_REGIONS_EXCEPT_SPECIFIED') {
    return `findings of ${regions.join(', ')} do not arrive`;
  }
  return `only findings of ${[home, ...regions].join(', ')} arrive`;
}

function isLinked({ mode, regions }: Aggregation, region: string): boolean {
  if (mode === 'ALL_REGIONS_EXCEPT_SPECIFIED') return !regions.includes(region);
  return mode === 'SPECIFIED_REGIONS' && regions.includes(region);
}

async function hasCspm(client: SecurityHubClient): Promise<boolean> {
  // Where it is off, an account is not subscribed.
  const off = ['InvalidAccessException', 'ResourceNotFoundException'];
  return (await unless(off, client.send(new DescribeHubCommand({})))) !== undefined;
}

async function hasV2(client: SecurityHubClient): Promise<boolean> {
  const described = client.send(new DescribeSecurityHubV2Command({}));
  return (await unless(['ResourceNotFoundException'], described)) !== undefined;
}

async function aggregation(
  client: SecurityHubClient,
  { findings }: Configuration,
): Promise<Aggregation | undefined> {
  return findings === 'v2' ? aggregationV2(client) : aggregationOfCspm(client);
}

async function aggregationOfCspm(client: SecurityHubClient): Promise<Aggregation | undefined> {
  for await (const page of paginateListFindingAggregators({ client }, {})) {
    for (const { FindingAggregatorArn } of page.FindingAggregators ?? []) {
      const found = await client.send(new GetFindingAggregatorCommand({ FindingAggregatorArn }));
      const { FindingAggregationRegion: home = '', RegionLinkingMode: mode = '' } = found;
      return { home, mode, regions: found.Regions ?? [] };
    }
  }
  return undefined;
}

async function aggregationV2(client: SecurityHubClient): Promise<Aggregation | undefined> {
  for await (const page of paginateListAggregatorsV2({ client }, {})) {
    for (const { AggregatorV2Arn } of page.AggregatorsV2 ?? []) {
      const found = await client.send(new GetAggregatorV2Command({ AggregatorV2Arn }));
      const { AggregationRegion: home = '', RegionLinkingMode: mode = '' } = found;
      return { home, mode, regions: found.LinkedRegions ?? [] };
    }
  }
  return undefined;
}
