// A test runner of Stryker for this version of mocha, which Stryker's own runner cannot load. Mocha and the tests are loaded
// once a process, and run again for each mutant with the tests that reach it.
import { INSTRUMENTER_CONSTANTS } from '@stryker-mutator/api/core'
import {
  commonTokens,
  declareClassPlugin,
  declareFactoryPlugin,
  PluginKind,
  tokens,
} from '@stryker-mutator/api/plugin'
import {
  DryRunStatus,
  determineHitLimitReached,
  MutantRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner'
import Mocha from 'mocha'
import { useFewRuns } from './few-runs.mjs'
import { isSampled, isSurvivor, placeOf } from './results.mjs'

/** ms a test may take, twice the suite's: one that waits for what never comes fails, without the end of this process */
const TEST_MS = 20_000
/** ms; tests that took longer run last */
const SLOW_MS = 50
const { EVENT_TEST_BEGIN, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } = Mocha.Runner.constants

class Silent {}

class MochaTestRunner {
  #spec
  #oneIn
  #mocha
  #context
  /** ids of tests that took longer than SLOW_MS, in this process */
  #slow = new Set()

  /** @param {readonly string[]} spec @param {number} oneIn @param {string} namespace */
  constructor(spec, oneIn, namespace) {
    this.#spec = spec
    this.#oneIn = oneIn
    globalThis[namespace] ??= {}
    this.#context = globalThis[namespace]
  }

  // Modules cannot be imported a second time: Stryker starts another process instead.
  capabilities = () => ({ reloadEnvironment: false })

  async dryRun({ coverageAnalysis }) {
    await this.#load()
    const result = await this.#run(() => true, false)
    if (coverageAnalysis !== 'off')
      result.mutantCoverage = this.#context[INSTRUMENTER_CONSTANTS.MUTATION_COVERAGE_OBJECT]
    return result
  }

  async mutantRun(options) {
    if (!isSampled(options.activeMutant, this.#oneIn))
      return { status: MutantRunStatus.Error, errorMessage: 'not in the sample' }
    return this.#tested(options)
  }

  async #tested({ activeMutant, mutantActivation, testFilter, hitLimit, disableBail }) {
    const context = this.#context
    context.hitCount = hitLimit === undefined ? undefined : 0
    context.hitLimit = hitLimit
    if (mutantActivation === 'static') context.activeMutant = activeMutant.id
    await this.#load()
    context.activeMutant = activeMutant.id
    const wanted = testFilter === undefined ? undefined : new Set(testFilter)
    const result = await this.#runQuickFirst((id) => wanted?.has(id) ?? true, !disableBail)
    const endless = determineHitLimitReached(context.hitCount, hitLimit)
    if (endless === undefined && mutantActivation === 'runtime') await this.#proveInnocent(result)
    return toMutantRunResult(endless ?? result)
  }

  /** Most mutants fall to a test that takes no time. */
  async #runQuickFirst(isWanted, bail) {
    const isSlow = (id) => this.#slow.has(id)
    const quick = await this.#run((id) => isWanted(id) && !isSlow(id), bail)
    if (bail && quick.tests.some(({ status }) => status === TestStatus.Failed)) return quick
    const slow = await this.#run((id) => isWanted(id) && isSlow(id), bail)
    return { ...slow, tests: [...quick.tests, ...slow.tests] }
  }

  /** A test that fails without the mutant too was broken by an earlier one: such a failure kills nothing. */
  async #proveInnocent(result) {
    const failed = result.tests.find(({ status }) => status === TestStatus.Failed)
    if (failed === undefined) return
    this.#context.activeMutant = undefined
    const again = await this.#run((id) => id === failed.id, true)
    if (again.tests.some(({ status }) => status === TestStatus.Failed))
      throw new Error(`fails without a mutant too: ${failed.name}`)
  }

  async #load() {
    if (this.#mocha !== undefined) return
    useFewRuns()
    const mocha = new Mocha({ reporter: Silent, timeout: TEST_MS })
    mocha.cleanReferencesAfterRun(false)
    for (const file of this.#spec) mocha.addFile(file)
    await mocha.loadFilesAsync()
    this.#mocha = mocha
    for (const [id, test] of testsOf(mocha.suite)) test.mutationId = id
  }

  /** Runs those tests whose id is wanted, and tells how each ended. */
  async #run(isWanted, bail) {
    const mocha = this.#mocha
    // Each suite has a setting of its own: that of the root alone ends no suite at its first failure.
    for (const suite of suitesOf(mocha.suite)) suite.bail(bail)
    for (const [id, test] of testsOf(mocha.suite)) {
      test.isAsked ??= test.isPending.bind(test)
      test.isPending = () => !isWanted(id) || test.isAsked()
    }
    const tests = []
    await new Promise((resolve) => {
      const runner = mocha.run(resolve)
      const tell = (test, status, failureMessage) => {
        if (test.duration > SLOW_MS) this.#slow.add(test.mutationId)
        tests.push({
          id: test.mutationId,
          name: test.fullTitle(),
          timeSpentMs: test.duration ?? 0,
          status,
          ...(failureMessage === undefined ? {} : { failureMessage }),
        })
      }
      runner.on(EVENT_TEST_BEGIN, (test) => {
        this.#context.currentTestId = test.mutationId
      })
      runner.on(EVENT_TEST_PASS, (test) => tell(test, TestStatus.Success))
      runner.on(EVENT_TEST_PENDING, (test) => {
        if (isWanted(test.mutationId)) tell(test, TestStatus.Skipped)
      })
      // A hook fails in the name of the test it is for.
      runner.on(EVENT_TEST_FAIL, (runnable, error) =>
        tell(runnable.ctx?.currentTest ?? runnable, TestStatus.Failed, String(error?.stack ?? error)),
      )
    })
    return { status: DryRunStatus.Complete, tests }
  }
}

/** The suite itself, and all in it. */
function suitesOf(suite) {
  return [suite, ...suite.suites.flatMap(suitesOf)]
}

/** Every test with an id of its own: titles may occur twice. */
function testsOf(suite) {
  const found = new Map()
  const times = new Map()
  suite.eachTest((test) => {
    const title = test.fullTitle()
    const count = (times.get(title) ?? 0) + 1
    times.set(title, count)
    found.set(count === 1 ? title : `${title} (${count})`, test)
  })
  return found
}

function create(options) {
  return new MochaTestRunner(options.mochaSpec, options.mochaOneIn, INSTRUMENTER_CONSTANTS.NAMESPACE)
}
create.inject = tokens(commonTokens.options)

/** Tells each survivor at once: a run that is stopped early was not for nothing. */
class SurvivorReporter {
  static inject = tokens(commonTokens.options)
  #oneIn

  constructor({ mochaOneIn }) {
    this.#oneIn = mochaOneIn
  }

  onMutantTested(mutant) {
    if (isSurvivor(mutant) && isSampled(mutant, this.#oneIn)) process.stdout.write(`${placeOf(mutant)}\n`)
  }
}

export const strykerPlugins = [
  declareFactoryPlugin(PluginKind.TestRunner, 'mocha-here', create),
  declareClassPlugin(PluginKind.Reporter, 'survivors', SurvivorReporter),
]
export const strykerValidationSchema = {
  properties: {
    mochaSpec: { type: 'array', items: { type: 'string' } },
    mochaOneIn: { type: 'integer', minimum: 1 },
  },
}
