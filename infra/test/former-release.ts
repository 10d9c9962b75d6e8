import { App, BootstraplessSynthesizer, Stack } from 'aws-cdk-lib';
import { CfnParameter } from 'aws-cdk-lib/aws-ssm';

/** The security stack of a release that had the response policy as a resource, and no more of it. */
const stack = new Stack(new App(), 'CordonSecurity', {
  synthesizer: new BootstraplessSynthesizer(),
});
new CfnParameter(stack, 'ResponsePolicy', {
  name: '/cordon/response-policy',
  type: 'String',
  tier: 'Intelligent-Tiering',
  description: 'Cordon: mode, exemptions and thresholds, read at the start of each execution',
  value: '{"mode":"observe"}',
});
