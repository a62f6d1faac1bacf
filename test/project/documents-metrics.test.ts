import { expect } from 'chai'
import { type Exported, exportedMetrics, labelFaults } from '../support/exported-metrics.js'
import { documentPages } from '../support/markdown.js'

/** Metrics and their labels in the documents, against what is exported; rules and dashboard: deploy.test.ts. */

describe('the metrics in the documents', () => {
  const pages = documentPages()
  let exported: Exported

  before(async () => {
    exported = await exportedMetrics()
  })

  it('are exported, with the labels and values that are named', () => {
    const named = pages.flatMap((page) =>
      [...page.text.matchAll(/(?<![\w.^])((?:chat|nodejs|process)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)].map(
        (match) => ({ page, match }),
      ),
    )
    expect(named.length).to.be.greaterThan(25)
    const wrong = named.flatMap(({ page, match: [whole, name = '', labels = ''] }) => {
      const known = exported.get(name)
      return known === undefined
        ? [`${page.path} ${name}`]
        : labelFaults(labels, known).map((fault) => `${page.path} ${whole}: ${fault}`)
    })
    expect(wrong).to.deep.equal([])
  })

  it('are all in the table of docs/metrics.md, with all their labels', () => {
    const page = pages.find(({ path }) => path === 'docs/metrics.md')
    const listed = new Map(
      page?.spans.flatMap(({ text }) => {
        const [, name, labels = ''] = /^(chat_[a-z_]+)(?:\{([a-z_,]+)\})?$/.exec(text) ?? []
        return name === undefined ? [] : [[name, labels] as const]
      }),
    )
    const missing = [...exported].flatMap(([name, labels]) => {
      if (!name.startsWith('chat_') || /_(bucket|sum|count)$/.test(name)) return []
      const own = [...labels.keys()].filter((label) => label !== 'le')
      return listed.get(name) === own.join() ? [] : [`${name}{${own.join()}}`]
    })
    expect(missing).to.deep.equal([])
  })
})
