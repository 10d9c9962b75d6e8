import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetObjectCommand, NoSuchKey, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { readConfiguration } from '../lib/config.ts';
import { clientOf, theAccount } from './accounts.ts';
import { Failure } from './failure.ts';
import { printable } from './documents.ts';
import { SECURITY_STACK } from './stacks.ts';

/** So many objects are read at once. */
const AT_ONCE = 25;

/** The evidence bucket where it is deployed. */
export class EvidenceBucket {
  private readonly client: S3Client;
  private readonly name: string;

  private constructor(client: S3Client, name: string) {
    this.client = client;
    this.name = name;
  }

  /** The one of the configuration at `config`. */
  static async find(config: string): Promise<EvidenceBucket> {
    const configuration = readConfiguration(config);
    const settings = clientOf(await theAccount(configuration, configuration.securityAccount));
    const name = await bucketOf(new CloudFormationClient(settings));
    return new EvidenceBucket(new S3Client(settings), name);
  }

  /** The keys below the prefix of all that was stored on that day or later, in their order. */
  async keys(Prefix: string, since: string): Promise<string[]> {
    const keys: string[] = [];
    const { client, name: Bucket } = this;
    for await (const page of paginateListObjectsV2({ client }, { Bucket, Prefix })) {
      for (const { Key = '', LastModified } of page.Contents ?? []) {
        // What was stored before that day was found before it, too.
        if (LastModified === undefined || LastModified.toISOString() >= since) keys.push(Key);
      }
    }
    return keys;
  }

  /** Each of the keys, in their order, with what lies there. */
  async *texts(keys: readonly string[]): AsyncGenerator<[key: string, text: string]> {
    for (let first = 0; first < keys.length; first += AT_ONCE) {
      const some = keys.slice(first, first + AT_ONCE);
      const texts = await Promise.all(some.map((key) => this.read(key)));
      for (const [index, key] of some.entries()) yield [key, texts[index] ?? ''];
    }
  }

  /** Names what lies there and is not counted, if there is any, and why that is. */
  nameOthers(keys: readonly string[], why: string): void {
    if (keys.length === 0) return;
    const first = printable(`s3://${this.name}/${keys[0]}`);
    console.error(`${keys.length} objects are not counted, ${why}; the first is ${first}`);
  }

  /** What lies there; an empty text, where nothing does. */
  private async read(Key: string): Promise<string> {
    try {
      const { Body } = await this.client.send(new GetObjectCommand({ Bucket: this.name, Key }));
      return (await Body?.transformToString()) ?? '';
    } catch (error) {
      if (error instanceof NoSuchKey) return '';
      throw error;
    }
  }
}

/** A day as `SINCE` names it. */
export function day(since: string): string {
  const date = new Date(`${since}T00:00:00Z`);
  const isDay = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(`${since}T`);
  if (!isDay) throw new Failure(`\`SINCE\` is no day such as 2026-12-31: \`${printable(since)}\``);
  return since;
}

/** Whether `FORMAT` asks for JSON. */
export function isJson(format: string | undefined): boolean {
  if (format && format !== 'json') {
    throw new Failure(`\`FORMAT\` is \`${format}\`: leave it out, or write \`json\``);
  }
  return format === 'json';
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
