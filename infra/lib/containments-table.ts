import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';

/**
 * Who was contained, and which escalations were mailed, for a member account and class of source in
 * an hour: what the state machine counts against the response policy's limits. An item for each
 * window, with the set of what was counted.
 */
export class ContainmentsTable extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.table = new Table(this, 'Table', {
      tableName: 'cordon-containments',
      partitionKey: { name: 'window', type: AttributeType.STRING },
      timeToLiveAttribute: 'expires',
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      // Encrypted under a key that DynamoDB owns, which is what it does unless told otherwise. A
      // key of ours would guard account numbers and counts, and a mistake in its policy would
      // stop containment.
      removalPolicy: RemovalPolicy.DESTROY, // Counters of the current hour are nobody's evidence.
    });
  }
}
