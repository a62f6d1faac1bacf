/**
 * What is mutated, and the tests that have to notice it. One module a run, so that a run takes minutes. Tests of the whole
 * service are left out: a module is to be held by its own tests.
 */
export const MODULES = {
  decide: {
    mutate: ['src/decision/{decide,change-listeners,code-defaults,flag-faults,llm-route}.ts'],
    spec: ['test/decision'],
  },
  verdict: {
    mutate: [
      'src/fallback/evidence/{verdict,attribution,evidence-by-scope}.ts',
      'src/fallback/evidence/{rate-change,usual-failures,kept-usual}.ts',
    ],
    spec: ['test/fallback/evidence'],
  },
  // What the loop gathers for the verdict: its tests are those of the loop.
  evidence: {
    mutate: ['src/fallback/evidence/{evidence,runtime-executions}.ts'],
    spec: [
      'test/fallback/evidence',
      'test/fallback/fallback-loop.test.ts',
      'test/fallback/fallback-loop-scoped.test.ts',
    ],
  },
  fallback: {
    mutate: ['src/fallback/machine/*.ts'],
    spec: ['test/fallback/machine'],
  },
  rollout: {
    mutate: ['src/rollout/machine/*.ts', 'src/rollout/stage-verdict.ts'],
    spec: ['test/rollout/machine'],
  },
  window: {
    mutate: ['src/metrics/windows/*.ts'],
    spec: ['test/metrics/windows'],
  },
  edits: {
    mutate: ['src/flag-edits/*.ts'],
    spec: ['test/flag-edits'],
  },
  comparison: {
    mutate: ['src/shadow/compare/*.ts'],
    spec: ['test/shadow/compare'],
  },
  translators: {
    mutate: [
      'src/execution/openai/*.ts',
      'src/execution/runtime/runtime-{events,files,translator}.ts',
      'src/execution/runtime/{soft-failure,truncate-result}.ts',
    ],
    spec: [
      'test/execution/openai',
      'test/execution/llm/dialects.test.ts',
      'test/execution/runtime/runtime-events.test.ts',
      'test/execution/runtime/runtime-files.test.ts',
      'test/execution/runtime/runtime-frames.test.ts',
      'test/execution/runtime/runtime-translator.test.ts',
      'test/execution/runtime/soft-failure.test.ts',
    ],
  },
}

/** percent of the mutants of each module that its tests have to notice */
export const LEAST_SCORE = 85
