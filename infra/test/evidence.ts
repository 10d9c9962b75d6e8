/** A principal's evidence as `functions/preserve` stores it, with what differs of it. */
export function evidence(changes: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ ...EVIDENCE, ...changes });
}

/** The principal that it is of. */
export const EVE = {
  kind: 'User',
  arn: 'arn:aws:iam::222222222222:user/eve',
  name: 'eve',
  path: '/',
  id: 'AIDAEVE',
  created: '2026-01-01T00:00:00Z',
  passwordLastUsed: null,
  boundary: null,
  tags: {},
  attachedPolicies: [],
  customerPolicies: {},
  inlinePolicies: [],
  trustPolicy: null,
  instanceProfiles: [],
  groups: [],
  credentials: [],
  loginProfile: null,
  mfaDevices: [],
  assumableRoles: [],
};

/** When its state was entered, of that execution. */
export function incident(entered: string, execution: string): object {
  return {
    execution: `arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response:${execution}`,
    pass: 0,
    started: '2026-03-02T09:14:00Z',
    entered,
    reach: { id: EVE.id, since: '2026-03-02T09:14:20Z', deniedBefore: null, boundary: null },
  };
}

const EVIDENCE = {
  schema: 'cordon/evidence/2',
  incident: incident('2026-03-02T09:14:27.123Z', 'one'),
  case: null,
  finding: { Title: 'x\u001b[2J' },
  principal: EVE,
  added: { policies: [], boundary: false, tags: [] },
  boundaryBefore: null,
  deniedBefore: null,
  quarantine: null,
};
