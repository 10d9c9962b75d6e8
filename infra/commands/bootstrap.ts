import { GetParameterCommand, ParameterNotFound, SSMClient } from '@aws-sdk/client-ssm';
import { type Account, clientOf } from './accounts.ts';

/** Where CDK's bootstrap stack says which version it is. */
const VERSION = '/cdk-bootstrap/hnb659fds/version';

/** Whether the account has what CDK needs for stacks with assets. */
export async function isBootstrapped(account: Account): Promise<boolean> {
  try {
    await new SSMClient(clientOf(account)).send(new GetParameterCommand({ Name: VERSION }));
    return true;
  } catch (error) {
    if (error instanceof ParameterNotFound) return false;
    throw error;
  }
}
