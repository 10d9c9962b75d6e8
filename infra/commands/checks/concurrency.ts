import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { type Account, clientOf } from '../accounts.ts';
import { type Check, type Finding, ok, warning } from './check.ts';

/** Below it, a burst of findings has functions of other teams, and its own, wait. */
const ENOUGH = 200;

/** How many functions may run at once. New accounts have fewer than Lambda's quota says. */
export function concurrency(account: Account): Check {
  return {
    about: "Lambda's concurrency",
    ask: async () => {
      const client = new LambdaClient(clientOf(account));
      const { AccountLimit } = await client.send(new GetAccountSettingsCommand({}));
      const unreserved = AccountLimit?.UnreservedConcurrentExecutions ?? 0;
      return [judgeConcurrency(unreserved, account.region)];
    },
  };
}

export function judgeConcurrency(unreserved: number, region: string): Finding {
  const what = `${unreserved} functions run at once that have no concurrency reserved`;
  return unreserved < ENOUGH
    ? warning(
        `only ${what}, fewer than ${ENOUGH}`,
        `aws service-quotas request-service-quota-increase --region ${region} --service-code lambda --quota-code L-B99A9384 --desired-value 1000`,
      )
    : ok(what);
}
