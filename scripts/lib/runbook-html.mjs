// docs/runbook.md as HTML, for the page that the service serves beside the console.
import { Marked } from 'marked'

/** The anchor of a heading, as GitHub makes it: docs that are read there link to the same ones. */
const anchorOf = (text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')

/** @param {string} markdown */
export function runbookHtml(markdown) {
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${anchorOf(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
      link({ href, tokens }) {
        const text = this.parser.parseInline(tokens)
        // The other documents are not served.
        return href.startsWith('#') ? `<a href="${href}">${text}</a>` : text
      },
    },
  })
  return marked.parse(markdown)
}
