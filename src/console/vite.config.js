import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vite'
import { runbookHtml } from '../../scripts/lib/runbook-html.mjs'

const RUNBOOK = join(import.meta.dirname, '..', '..', 'docs', 'runbook.md')

/** The console: a static page in dist/console, served below /console by the service itself, and the runbook beside it. */
export default defineConfig({
  root: import.meta.dirname,
  base: '/console/',
  logLevel: 'warn',
  plugins: [
    {
      name: 'runbook',
      transformIndexHtml: {
        order: 'pre',
        handler: (html) => html.replace('<!-- runbook -->', () => runbookHtml(readFileSync(RUNBOOK, 'utf8'))),
      },
    },
  ],
  build: {
    outDir: '../../dist/console',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    // An inlined asset would be a data: address, which the policy of the page refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: { input: ['index.html', 'runbook.html'].map((file) => join(import.meta.dirname, file)) },
  },
})
