import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { SECRET_VARIABLES, withSecretFiles } from '../../../src/core/files/secret-files.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

const SECRET = 'quince-secret'

describe('secrets from files', () => {
  const directory = temporaryDirectory()
  const path = () => directory.path('secret')
  const read = () => withSecretFiles({ JWT_SECRET_FILE: path(), JWT_SECRET: '' })
  const faultsOf = () => {
    const { env, faults } = read()
    expect(env.JWT_SECRET).to.equal('')
    for (const fault of faults.flatMap(Object.values)) {
      expect(fault).to.contain('JWT_SECRET_FILE')
      expect(fault).not.to.contain(directory.path(''))
      expect(fault).not.to.contain(SECRET)
    }
    return faults.map(({ en }) => en.replace('JWT_SECRET_FILE names a file that cannot be used: ', ''))
  }

  it('are their content without the line breaks at its end', () => {
    for (const [content, secret] of [
      [SECRET, SECRET],
      [`${SECRET}\n`, SECRET],
      [`${SECRET}\r\n\n`, SECRET],
      [` ${SECRET} \n`, ` ${SECRET} `],
      [`two\nlines\n`, 'two\nlines'],
      ['schlüssel\n', 'schlüssel'],
    ] as const) {
      writeFileSync(path(), content)
      expect(read()).to.deep.equal({ env: { JWT_SECRET_FILE: path(), JWT_SECRET: secret }, faults: [] })
    }
  })

  it('are read through symbolic links, as Kubernetes mounts them', () => {
    mkdirSync(directory.path('..data'))
    writeFileSync(directory.path('..data/key'), SECRET)
    symlinkSync('..data/key', path())
    expect(read().env.JWT_SECRET).to.equal(SECRET)
  })

  it('are refused where the file is missing, empty, a directory, a pipe, too large or no text', () => {
    expect(faultsOf()).to.deep.equal(['ENOENT'])
    mkdirSync(path())
    expect(withSecretFiles({ JWT_SECRET_FILE: path() }).faults[0]?.en).to.contain('it is not a regular file')
    const file = directory.path('other')
    const why = () => withSecretFiles({ LLM_API_KEY_FILE: file }).faults.map(({ en }) => en.split(': ')[1])
    writeFileSync(file, '\n \n')
    expect(why()).to.deep.equal(['it is empty'])
    writeFileSync(file, Buffer.from([0x61, 0xff, 0x61]))
    expect(why()).to.deep.equal(['it is not UTF-8 text'])
    truncateSync(file, 64 * 1024 + 1)
    expect(why()).to.deep.equal(['it is larger than 65536 bytes'])
    spawnSync('mkfifo', [directory.path('pipe')])
    expect(withSecretFiles({ LLM_API_KEY_FILE: directory.path('pipe') }).faults[0]?.en).to.contain(
      'regular file',
    )
  })

  it('are refused where the variable is set too, whichever secret it is', () => {
    writeFileSync(path(), SECRET)
    for (const name of SECRET_VARIABLES) {
      const both = withSecretFiles({ [name]: 'set', [`${name}_FILE`]: path() })
      expect(both.faults).to.deep.equal([
        {
          en: `${name} and ${name}_FILE are both set; the value comes from one of them`,
          'zh-CN': `${name} 与 ${name}_FILE 同时设置；取值只能来自其中之一`,
        },
      ])
      expect(both.env[name]).to.equal('set')
      expect(withSecretFiles({ [`${name}_FILE`]: path() }).env[name]).to.equal(SECRET)
    }
  })
})
