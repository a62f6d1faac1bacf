import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { errorCode } from '../../../src/core/errors.js'
import { MAX_FILE_BYTES, readFileBytes } from '../../../src/core/files/read-file.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('a file of flags, read whole', () => {
  const directory = temporaryDirectory()
  const path = () => directory.path('file')
  const codeOf = async () =>
    readFileBytes(path()).then(
      (bytes) => bytes.length,
      (thrown: unknown) => errorCode(thrown),
    )

  it('is given as its bytes, an empty one too', async () => {
    writeFileSync(path(), '')
    expect(await codeOf()).to.equal(0)
    appendFileSync(path(), 'ä')
    expect((await readFileBytes(path())).toString('utf8')).to.equal('ä')
  })

  it('is refused beyond 4 MiB, and taken up to there', async () => {
    writeFileSync(path(), '')
    truncateSync(path(), MAX_FILE_BYTES)
    expect(await codeOf()).to.equal(MAX_FILE_BYTES)
    appendFileSync(path(), 'x')
    expect(await codeOf()).to.equal('EFBIG')
  })

  it('is refused where it is a directory or a pipe that nobody writes to, without waiting', async () => {
    expect(await codeOf()).to.equal('ENOENT')
    mkdirSync(path())
    expect(await codeOf()).to.equal('EISDIR')
    const pipe = directory.path('pipe')
    spawnSync('mkfifo', [pipe])
    expect(await readFileBytes(pipe).catch(errorCode)).to.equal('EISDIR')
  })
})
