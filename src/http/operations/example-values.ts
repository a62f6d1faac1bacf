import { API_PREFIX } from '../../protocol/api.js'

/** Where the paths of most operations begin. */
export const API = API_PREFIX

/** Values that the examples share, so that they tell one story. */
export const AT = '2026-01-31T08:00:00.000Z'
export const EARLIER = '2026-01-30T08:00:00.000Z'
export const EXAMPLE_SESSION_ID = '6f1d0c52-6f53-4c1e-9d5b-3f0a2f6f7c11'
export const EXAMPLE_MESSAGE_ID = '0b9d1c2e-7a64-4f0e-8f25-b6d3a0c9d412'
export const EXAMPLE_ORG = 'acme'
export const EXAMPLE_REPLICA = 'chat-1-4211'
export const EXAMPLE_HASH = '3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea'
export const EXAMPLE_ETAG = `"${EXAMPLE_HASH}.1mXk0b3cL8d0r3m0nVf0p1Y2c3Z4"`

export const EXAMPLE_WINDOW = {
  total: 50,
  success: 48,
  error: 2,
  timeout: 1,
  avgLatencyMs: 2140.5,
  errorRate: 0.04,
  timeoutRate: 0.02,
  aborted: 1,
  rejected: 0,
  abandoned: 0,
  p50LatencyMs: 1900,
  p95LatencyMs: 4100,
  p99LatencyMs: 6200,
  avgFirstContentMs: 610,
  p95FirstContentMs: 1300,
}

export const EXAMPLE_STATUS = {
  fallbackEnabled: true,
  fallbackReason: 'Error rate too high: 55.00% (threshold: 50.00%)',
  fallback: {
    state: 'fallback',
    scope: 'all',
    scopeIds: [],
    cause: 'error_rate',
    value: 0.55,
    threshold: 0.5,
    since: AT,
    holdUntil: AT,
    trips: 1,
    recoveringPercent: null,
    persisted: true,
    propagated: true,
    propagationMs: 112,
    revision: 7,
    replica: EXAMPLE_REPLICA,
  },
  manual: { scope: 'none', orgIds: [], reason: '', until: null },
  policy: 'auto',
  wouldTrip: '',
  probe: { healthy: true, failures: 0, at: AT },
  lease: { holder: EXAMPLE_REPLICA, mine: true },
  isolated: false,
  alerts: [],
  alertKinds: [],
  replica: EXAMPLE_REPLICA,
  replicas: [{ name: EXAMPLE_REPLICA, version: '0.1.0', state: 'ready', firstSeen: EARLIER, lastSeen: AT }],
}

/** As in the operators' events; the history adds the id. */
export const EXAMPLE_TRANSITION = {
  at: AT,
  kind: 'trip',
  from: 'normal',
  to: 'fallback',
  scope: 'all',
  scopeIds: [],
  manualFrom: 'none',
  manualTo: 'none',
  actor: 'auto',
  replica: EXAMPLE_REPLICA,
  userId: null,
  reason: 'Error rate too high: 55.00% (threshold: 50.00%)',
  cause: 'error_rate',
  value: 0.55,
  threshold: 0.5,
  trips: 1,
  holdUntil: AT,
  recoveringPercent: null,
  revision: 7,
  evidence: null,
  guardrails: null,
}

export const EXAMPLE_EDIT = {
  at: AT,
  replica: EXAMPLE_REPLICA,
  userId: 'user-7',
  orgId: EXAMPLE_ORG,
  changes: [{ path: '$evaluators.runtime-enabled-orgs.in.1', added: ['globex'], removed: [] }],
  fromContent: EXAMPLE_HASH,
  toContent: EXAMPLE_HASH.split('').reverse().join(''),
}

export const EXAMPLE_FLAG_VALUES = {
  mode: { value: 'direct_llm', enabledOrgs: ['acme', 'globex'], canaryPercent: 5 },
  shadow: { percent: 1, handMade: false },
  guardrails: { errorRate: 0.3 },
  fallbackPolicy: 'auto',
  llmRoute: null,
  limits: { streamsPerOrg: 200, weights: { acme: 3 } },
}

const EXAMPLE_PLAN = { stages: [1, 5, 25, 100], everyMinutes: 30, orgIds: null, agentIds: null }

export const EXAMPLE_ROLLOUT = {
  state: 'running',
  percent: 5,
  stage: 2,
  plan: EXAMPLE_PLAN,
  since: AT,
  end: null,
  failedPercent: null,
  cause: null,
  value: null,
  threshold: null,
  reason: '',
  verdict: 'healthy',
  evidence: { total: 64, errors: 1, timeouts: 0, avgLatencyMs: 2140 },
  waitsFor: 'time',
  secondsLeft: 540,
  summary: "stage 2 of 4, 5%; waits: the stage's time is not over",
  next: null,
  persisted: true,
  propagated: true,
  revision: 3,
  lease: { holder: EXAMPLE_REPLICA, mine: true },
  alerts: [],
  replica: EXAMPLE_REPLICA,
}

/** As in the operators' events; the history adds the id. */
export const EXAMPLE_ROLLOUT_CHANGE = {
  at: AT,
  kind: 'raised',
  from: 'running',
  to: 'running',
  fromPercent: 1,
  toPercent: 5,
  ...EXAMPLE_PLAN,
  actor: 'auto',
  replica: EXAMPLE_REPLICA,
  userId: null,
  cause: null,
  value: null,
  threshold: null,
  evidence: { total: 41, errors: 0, timeouts: 0, avgLatencyMs: 2015 },
  revision: 3,
  reason: 'Rollout raised from 1% to 5%: the stage was healthy',
}
