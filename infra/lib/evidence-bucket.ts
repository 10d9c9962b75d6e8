import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  ObjectLockRetention,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { EvidenceLock } from './config.ts';
import { ROLE_PATH } from './names.ts';

export interface EvidenceBucketProps {
  readonly retentionDays: number;
  /**
   * Under governance, what was stored by mistake can still be removed by somebody who was given
   * s3:BypassGovernanceRetention; no role of ours is. Under compliance nobody can.
   */
  readonly lock: EvidenceLock;
}

/** Where the principals are kept as they were before anything was taken away. */
export class EvidenceBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { retentionDays, lock }: EvidenceBucketProps) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Bucket', {
      objectLockDefaultRetention: ObjectLockRetention[lock](Duration.days(retentionDays)),
      versioned: true,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const objects = this.bucket.arnForObjects('*');

    // S3 itself sees to it that evidence is written once, whoever writes it: copies and uploads in
    // parts, which can't say so, are refused too (S3 User Guide, "Enforce conditional writes on
    // Amazon S3 buckets").
    this.bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'WrittenOnce',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:PutObject'],
        resources: [objects],
        conditions: { Null: { 's3:if-none-match': 'true' } },
      }),
    );
    // A deleted object's key is free again, and what is no longer retained can be deleted. No role
    // of ours is granted any of this; none ever is.
    this.bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'KeptFromEveryRoleOfOurs',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: [
          's3:DeleteObject',
          's3:DeleteObjectVersion',
          's3:PutObjectRetention',
          's3:PutObjectLegalHold',
          's3:BypassGovernanceRetention',
          's3:PutBucketPolicy',
          's3:DeleteBucketPolicy',
          's3:PutBucketVersioning',
          's3:PutBucketObjectLockConfiguration',
          's3:PutLifecycleConfiguration',
        ],
        resources: [this.bucket.bucketArn, objects],
        conditions: {
          ArnLike: {
            'aws:PrincipalArn': Stack.of(this).formatArn({
              service: 'iam',
              region: '',
              account: '*',
              resource: 'role',
              resourceName: `${ROLE_PATH.slice(1)}*`,
            }),
          },
        },
      }),
    );
  }
}
