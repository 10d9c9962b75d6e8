const DEPLOYS = 'it takes a stack that is deployed for nothing else';
const FAULT = 'nobody can have an AWS service fail so';
const WITHOUT_CSPM = 'it takes findings of Security Hub without CSPM, which nobody can import';
const SERVICE = 'it takes a finding of that AWS service, which nobody can import';
const MESSAGE = 'it takes a message to a real subscriber';

/** The claims that no person's credentials settle without harm and in minutes, and why. */
export const NOT_TRIED: Readonly<Record<string, string>> = {
  'account-filter-beyond-units': 'it takes a StackSet, whose operations wait for each other',
  'analyzer-names-no-key': SERVICE,
  'assume-root-deletes-keys': "it takes the management account's credentials, and a root key",
  'change-set-takes-up-log-groups': DEPLOYS,
  'chat-limits': MESSAGE,
  'dead-letter-names-role-error': 'EventBridge tries for a day before it gives up',
  'filters-go-by-attributes': MESSAGE,
  'guardduty-names-keys': SERVICE,
  'guardduty-user-is-no-role': SERVICE,
  'health-names-keys': SERVICE,
  'insight-event-names-action': 'a custom action is chosen in the console alone',
  'lambda-error-names': FAULT,
  'last-seen-counts-refused': SERVICE,
  'long-text-is-lost': MESSAGE,
  'members-bus-has-event': 'nothing depends on it',
  'metric-without-dimension': 'the dashboard `Cordon` shows it, a quarter of an hour later',
  'other-health-codes': SERVICE,
  'security-hub-error-names': FAULT,
  'security-hub-says-off': 'it takes an account and a Region in which Security Hub is off',
  'silence-is-counted': 'the alarm on silence shows it, within seven days',
  'stack-tags-write-parameters': DEPLOYS,
  'states-names-list-errors': FAULT,
  'tag-condition': 'it takes `restorers`, and a restore shows it: without the tag it is refused',
  'unlisted-error-names': FAULT,
  'unlisted-finding-types': SERVICE,
  'update-event-keeps-fields': SERVICE,
  'v2-comment': WITHOUT_CSPM,
  'v2-findings-keep-names': WITHOUT_CSPM,
  'v2-products': WITHOUT_CSPM,
  'v2-resolved-may-close': WITHOUT_CSPM,
  'v2-samples': WITHOUT_CSPM,
  'v2-status-is-text': WITHOUT_CSPM,
  'wrong-structure-is-invalid': 'nothing depends on which error it is',
};
