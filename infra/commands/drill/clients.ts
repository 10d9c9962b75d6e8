import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { IAMClient } from '@aws-sdk/client-iam';
import { S3Client } from '@aws-sdk/client-s3';
import { SecurityHubClient } from '@aws-sdk/client-securityhub';
import { SFNClient } from '@aws-sdk/client-sfn';
import { STSClient } from '@aws-sdk/client-sts';
import { type Account, clientOf } from '../accounts.ts';
import type { Interruption } from './interruption.ts';

/** What the drill uses of an account, with somebody's credentials. */
export interface Clients {
  readonly account: Account;
  readonly events: EventBridgeClient;
  readonly hub: SecurityHubClient;
  readonly iam: IAMClient;
  readonly objects: S3Client;
  readonly states: SFNClient;
  readonly sts: STSClient;
  /** The same with other credentials. */
  as(keys: Keys): Clients;
}

/** Credentials of a user's key, or of a session. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The clients of an account. After an interruption they make no call; those that clean have none. */
export function clients(account: Account, interruption?: Interruption, keys?: Keys): Clients {
  const settings =
    keys === undefined ? clientOf(account) : { region: account.region, credentials: keys };
  const all = {
    events: new EventBridgeClient(settings),
    hub: new SecurityHubClient(settings),
    iam: new IAMClient(settings),
    objects: new S3Client(settings),
    states: new SFNClient(settings),
    sts: new STSClient(settings),
  };
  if (interruption !== undefined) {
    for (const client of Object.values(all)) {
      (client.middlewareStack as Stack).add(
        (next) => async (call) => {
          interruption.check();
          return next(call);
        },
        { step: 'initialize' },
      );
    }
  }
  return { account, ...all, as: (others) => clients(account, interruption, others) };
}

/** The middleware stack of whichever client, which each types for its own calls. */
interface Stack {
  add(around: (next: Handler) => Handler, options: { step: 'initialize' }): void;
}

type Handler = (call: object) => Promise<object>;
