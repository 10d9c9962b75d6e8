import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { readConfiguration } from '../lib/config.ts';
import { clientOf, theAccount } from './accounts.ts';
import { Failure } from './failure.ts';
import { type Observation, observationOf, printable } from './observations.ts';
import { rowsOf, textOf } from './observe-rows.ts';
import { SECURITY_STACK } from './stacks.ts';

/** So many objects are read at once. */
const AT_ONCE = 25;

/**
 * Prints what Cordon would have done with whom while it observed, since the day `SINCE` (UTC) or
 * ever, as text or as `FORMAT=json`. It is computed from what observations have stored in the
 * evidence bucket alone. What lies there and is none, it names.
 */
export async function observeReport(
  config: string,
  { SINCE, FORMAT }: NodeJS.ProcessEnv,
): Promise<void> {
  const since = day(SINCE || '1970-01-01');
  if (FORMAT && FORMAT !== 'json') {
    throw new Failure(`\`FORMAT\` is \`${FORMAT}\`: leave it out, or write \`json\``);
  }
  const configuration = readConfiguration(config);
  const settings = clientOf(await theAccount(configuration, configuration.securityAccount));
  const bucket = await bucketOf(new CloudFormationClient(settings));
  const { observations, others } = await observed(new S3Client(settings), bucket, since);
  const rows = rowsOf(observations);
  console.log(FORMAT ? JSON.stringify(rows, null, 2) : textOf(rows));
  if (others.length > 0) {
    console.error(
      `${others.length} objects are not counted, since they say no rule, as those of former releases, or were planted; the first is ${printable(`s3://${bucket}/${others[0]}`)}`,
    );
  }
}

function day(since: string): string {
  const date = new Date(`${since}T00:00:00Z`);
  const isDay = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(`${since}T`);
  if (!isDay) throw new Failure(`\`SINCE\` is no day such as 2026-12-31: \`${printable(since)}\``);
  return since;
}

async function bucketOf(client: CloudFormationClient): Promise<string> {
  const describe = new DescribeStacksCommand({ StackName: SECURITY_STACK });
  const { Stacks: [stack] = [] } = await client.send(describe);
  const output = stack?.Outputs?.find(({ OutputKey }) => OutputKey === 'EvidenceBucketName');
  if (output?.OutputValue === undefined) {
    throw new Failure(`the stack \`${SECURITY_STACK}\` names no evidence bucket: deploy it`);
  }
  return output.OutputValue;
}

interface Found {
  readonly observations: readonly Observation[];
  /** Keys of what lies there and is no observation. */
  readonly others: readonly string[];
}

async function observed(client: S3Client, Bucket: string, since: string): Promise<Found> {
  const observations: Observation[] = [];
  const others: string[] = [];
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client }, { Bucket, Prefix: 'observed/' })) {
    for (const { Key = '', LastModified } of page.Contents ?? []) {
      // What was stored before that day was observed before it, too.
      if (LastModified === undefined || LastModified.toISOString() >= since) keys.push(Key);
    }
  }
  for (let first = 0; first < keys.length; first += AT_ONCE) {
    const some = keys.slice(first, first + AT_ONCE);
    const texts = await Promise.all(some.map((Key) => read(client, Bucket, Key)));
    for (const [index, Key] of some.entries()) {
      const observation = observationOf(Key, texts[index] ?? '');
      if (observation === 'none') others.push(Key);
      else if (observation !== 'told' && observation.at >= since) observations.push(observation);
    }
  }
  return { observations, others };
}

async function read(client: S3Client, Bucket: string, Key: string): Promise<string> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return (await Body?.transformToString()) ?? '';
}
