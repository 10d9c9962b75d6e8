import { RemovalPolicy } from 'aws-cdk-lib';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { CfnSubscription, Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Subscriber } from './config.ts';

export interface AlertTopicsProps {
  readonly account: string;
  readonly responders: readonly Subscriber[];
  readonly operations: readonly Subscriber[];
}

/**
 * Who is told: responders of incidents, operations when the machinery itself fails. Two topics, so
 * that the second signal does not depend on the first one's.
 */
export class AlertTopics extends Construct {
  readonly responders: Topic;
  readonly operations: Topic;
  readonly key: Key;

  constructor(scope: Construct, id: string, props: AlertTopicsProps) {
    super(scope, id);
    const eventBridge = new ServicePrincipal('events.amazonaws.com');
    const cloudWatch = new ServicePrincipal('cloudwatch.amazonaws.com');

    // A customer key, because neither service can use SNS's own. No condition on the source:
    // EventBridge sends none to KMS (SNS Developer Guide, "Enable compatibility between event
    // sources from AWS services and encrypted topics"). Who may publish what to whom is for the
    // topics' policies to say; the key opens nothing else.
    this.key = new Key(this, 'Key', {
      description: 'Cordon: the topics of responders and operations',
      enableKeyRotation: true,
      // It guards what is on its way, and nothing that is kept.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'RulesAndAlarmsPublishEncrypted',
        effect: Effect.ALLOW,
        principals: [eventBridge, cloudWatch],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
      }),
    );

    this.responders = this.topic('Responders', 'Cordon incidents', props.responders);
    this.operations = this.topic('Operations', 'Cordon operations', props.operations);

    for (const topic of [this.responders, this.operations]) {
      // EventBridge User Guide, "Troubleshooting Amazon EventBridge": topic policies for
      // EventBridge cannot have conditions.
      topic.addToResourcePolicy(
        new PolicyStatement({
          sid: 'RulesPublish',
          effect: Effect.ALLOW,
          principals: [eventBridge],
          actions: ['sns:Publish'],
          resources: [topic.topicArn],
        }),
      );
    }
    this.operations.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsOfThisAccountPublish',
        effect: Effect.ALLOW,
        principals: [cloudWatch],
        actions: ['sns:Publish'],
        resources: [this.operations.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': props.account } },
      }),
    );
  }

  private topic(id: string, displayName: string, subscribers: readonly Subscriber[]): Topic {
    const topic = new Topic(this, id, { displayName, masterKey: this.key, enforceSSL: true });
    subscribers.forEach(({ protocol, endpoint, filterPolicy }, index) => {
      new CfnSubscription(topic, `Subscriber${index + 1}`, {
        topicArn: topic.topicArn,
        protocol,
        endpoint,
        ...(filterPolicy && { filterPolicy }),
      });
    });
    return topic;
  }
}
