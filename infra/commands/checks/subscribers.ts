import {
  paginateListSubscriptionsByTopic,
  SNSClient,
  type Subscription,
} from '@aws-sdk/client-sns';
import type { Configuration, Subscriber } from '../../lib/config.ts';
import { type Account, clientOf } from '../accounts.ts';
import { shellWord } from '../shell.ts';
import { deployedOutputs, SECURITY_STACK } from '../stacks.ts';
import { type Check, type Finding, ok, warning, wrong } from './check.ts';

/** The outputs of the security stack that are topics, and who reads them. */
const TOPICS = { AlertTopicArn: 'responders', OperationsTopicArn: 'operations' } as const;

/** Whether those who are to be told have confirmed that they want to be. */
export function subscribers(configuration: Configuration, account: Account): Check {
  return {
    about: 'who has confirmed a subscription',
    ask: async () => {
      const outputs = await deployedOutputs(account, SECURITY_STACK);
      const asked = Object.entries(TOPICS).map(async ([output, readers]) => {
        const topic = outputs[output];
        if (topic === undefined) return [];
        const wanted = configuration[readers];
        return judgeSubscribers(readers, topic, wanted, await subscriptions(account, topic));
      });
      return (await Promise.all(asked)).flat();
    },
  };
}

/** A subscription has no ARN but this until it is confirmed (SNS, `ListSubscriptionsByTopic`). */
const PENDING = 'PendingConfirmation';

/** The ARN of one who has unsubscribed, by the link that each mail has. SNS lists it for some days. */
const DELETED = 'Deleted';

export function judgeSubscribers(
  readers: string,
  topic: string,
  wanted: readonly Subscriber[],
  listed: readonly Subscription[],
): readonly Finding[] {
  const of = `of \`${readers}\``;
  const subscriptions = listed.filter(({ SubscriptionArn }) => SubscriptionArn !== DELETED);
  const pending = subscriptions.filter(({ SubscriptionArn }) => SubscriptionArn === PENDING);
  // SNS deletes what is not confirmed within two days, which CloudFormation does not notice.
  const gone = wanted.filter((one) => !subscriptions.some((other) => isSame(one, other)));
  const found = [
    ...pending.map(({ Protocol, Endpoint }) =>
      warning(
        `\`${Endpoint}\` ${of} has not confirmed the subscription`,
        Protocol === 'email' ? confirm(topic) : 'have it confirmed, by the link that SNS has sent',
      ),
    ),
    ...gone.map((one) => {
      const hasLeft = listed.some((other) => isSame(one, other));
      const how = hasLeft ? 'has unsubscribed' : 'has no subscription, or none any more';
      const when = hasLeft ? ', which SNS may refuse for three days' : '';
      return warning(`\`${one.endpoint}\` ${of} ${how}`, `${subscribe(topic, one)}${when}`);
    }),
  ];
  const confirmed = subscriptions.length - pending.length;
  return confirmed === 0
    ? [...found, wrong(`nobody ${of} is told anything`, 'have a subscription confirmed')]
    : [...found, ok(`subscriptions ${of} that are confirmed: ${confirmed}`)];
}

/**
 * The command that confirms a mail's subscription. By the link itself it would be one that anybody
 * who has a mail can end, by the link in that (SNS API Reference, `ConfirmSubscription`).
 */
const confirm = (topic: string): string =>
  `aws sns confirm-subscription --region ${topic.split(':')[3]} --topic-arn ${topic} --authenticate-on-unsubscribe true --token … (the link that SNS has sent there has the token; do not open it)`;

/** The command that subscribes it as the configuration has it. */
function subscribe(topic: string, { protocol, endpoint, filterPolicy }: Subscriber): string {
  const attributes = filterPolicy && JSON.stringify({ FilterPolicy: JSON.stringify(filterPolicy) });
  return [
    `aws sns subscribe --region ${topic.split(':')[3]} --topic-arn ${topic} --protocol ${protocol}`,
    `--notification-endpoint ${shellWord(endpoint)}`,
    ...(attributes === undefined ? [] : [`--attributes ${shellWord(attributes)}`]),
  ].join(' ');
}

/** SNS does not show the password that an endpoint may have. */
function isSame({ protocol, endpoint }: Subscriber, { Protocol, Endpoint }: Subscription): boolean {
  const plain = (text = '') => text.replace(/\/\/[^@/]*@/, '//').toLowerCase();
  return protocol === Protocol && plain(endpoint) === plain(Endpoint);
}

async function subscriptions(account: Account, TopicArn: string): Promise<Subscription[]> {
  const client = new SNSClient(clientOf(account));
  const found: Subscription[] = [];
  for await (const page of paginateListSubscriptionsByTopic({ client }, { TopicArn })) {
    found.push(...(page.Subscriptions ?? []));
  }
  return found;
}
