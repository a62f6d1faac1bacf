import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { tryClient } from './scenario.mjs'

const run = promisify(execFile)
const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))

/** @type {string} */
let folder = ''
/** @type {string | undefined} why Python is not tried */
let missing

/** @type {import('node:child_process').ChildProcess[]} */
const scripts = []

const python = () => join(folder, 'bin', 'python')

before(async function () {
  this.timeout(300_000)
  folder = await mkdtemp(join(tmpdir(), 'chat-cutover-python-'))
  try {
    await run('python3', ['-m', 'venv', folder])
    const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', here('requirements.txt')]
    await run(python(), pip, { timeout: 280_000 })
  } catch (thrown) {
    missing = String(thrown instanceof Error ? thrown.message : thrown)
      .trim()
      .split('\n')
      .at(-1)
    console.log(`the clients in Python were not tried: ${missing}`)
  }
})
after(async () => {
  for (const script of scripts) script.kill()
  await rm(folder, { recursive: true, force: true })
})

for (const [name, file] of /** @type {const} */ ([
  ['openai (PyPI)', 'openai_client.py'],
  ['LangChain (langchain-openai, PyPI)', 'langchain_client.py'],
])) {
  tryClient(name, {
    showsReasoning: file === 'openai_client.py',
    async prepare(test) {
      if (missing !== undefined) test.skip()
    },
    connect(target) {
      const script = start(file)
      /**
       * @param {'whole' | 'streamed'} way
       * @param {readonly object[]} messages
       * @param {string} session
       */
      const ask = async (way, messages, session) => {
        const { error, ...answer } = await script({ ...target, way, messages, session })
        if (error !== undefined) throw new Error(error)
        return answer
      }
      return {
        whole: (messages, session) => ask('whole', messages, session),
        streamed: (messages, session) => ask('streamed', messages, session),
      }
    },
  })
}

/**
 * A script that answers each line with one.
 * @param {string} file
 */
function start(file) {
  const child = spawn(python(), [here(file)], { stdio: ['pipe', 'pipe', 'inherit'] })
  scripts.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return async (/** @type {object} */ asked) => {
    child.stdin.write(`${JSON.stringify(asked)}\n`)
    const { value, done } = await lines.next()
    if (done) throw new Error(`${file} ended`)
    return JSON.parse(value)
  }
}
