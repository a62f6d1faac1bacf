export const USAGE = `Plays the fallback's judgement, at the shipped guardrails, beside a runtime of which a share of executions and probes is bad.

Usage: npm run simulate -- [options]

  npm run simulate                  all of it: some minutes on one core
  npm run simulate -- --quick       a fiftieth of the hours
  npm run simulate -- --write       puts the tables into docs/reliability.md
  npm run simulate -- --help        this text

Exit code: 0 nothing tripped below the thresholds, 1 something did, 2 wrong usage.
`
