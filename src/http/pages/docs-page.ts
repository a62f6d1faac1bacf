import { compressedFile, type PageFile, pageHeaders, textFile } from './page-file.js'

/** The build puts Swagger UI there, each file compressed: scripts/docs-page.mjs. */
const FOLDER = new URL('../../../dist/docs-page/', import.meta.url)

export const DOCS_HEADERS = pageHeaders()

/** Paths are relative, so that a proxy may put a prefix before them. */
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>chat-cutover API</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/corrections.css">
<script src="docs/theme.js"></script>
<script src="docs/swagger-ui-bundle.js" defer></script>
<script src="docs/start.js" defer></script>
</head>
<body>
<main id="api"><noscript>This page needs JavaScript. The document itself is <a href="openapi.json">openapi.json</a>.</noscript></main>
</body>
</html>
`

/** Swagger UI nests links in buttons and leaves selects without a name: who reads the page by ear or keyboard is stopped by both. */
const START = `const named = (name) => (Original, { React }) => (props) => {
  const label = (box) => box?.querySelectorAll('select').forEach((select) => select.setAttribute('aria-label', name))
  return React.createElement('div', { ref: label }, React.createElement(Original, props))
}
const accessible = () => ({
  wrapComponents: {
    DeepLink: (_, { React }) => ({ text }) => React.createElement('span', null, text),
    Servers: named('Server'),
    ExamplesSelect: named('Example'),
  },
})
window.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#api',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayOperationId: true,
  validatorUrl: null,
  plugins: [accessible],
})
`

/** No column for links, which no answer has: it makes the page wider than a phone. Text that is pale in Swagger UI: at least 4.5 to 1 (WCAG AA). */
const CORRECTIONS = `.swagger-ui .response-col_links { display: none; }
.dark-mode .swagger-ui :is(.header-col, .examples-select__section-label) { color: #e4e6e6; }
html:not(.dark-mode) {
  .swagger-ui .info .title small { background: #5b6270; }
  .swagger-ui .info .title small.version-stamp { background: #4f6f00; }
  .swagger-ui .info :is(a, .url) { color: #1d5fb0; }
  .swagger-ui .btn.authorize { color: #14794a; }
  .swagger-ui .parameter__in { color: #5c5c5c; }
  .swagger-ui .opblock-get .opblock-summary-method { background: #1b62b5; }
  .swagger-ui .opblock-post .opblock-summary-method { background: #14794a; }
  .swagger-ui .opblock-put .opblock-summary-method { background: #9a5a00; }
  .swagger-ui .opblock-patch .opblock-summary-method { background: #0b7a63; }
  .swagger-ui .opblock-delete .opblock-summary-method { background: #c62121; }
}
`

/** Before anything is drawn: the theme chosen in the console (src/console/parts/theme.ts), else that of the system. */
const THEME = `(() => {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const chosen = () => {
    try {
      return localStorage.getItem('chat-cutover.theme')
    } catch {
      return null
    }
  }
  const follow = () => {
    const theme = chosen()
    const isDark = theme === 'dark' || (theme !== 'light' && system.matches)
    document.documentElement.classList.toggle('dark-mode', isDark)
  }
  follow()
  system.addEventListener('change', follow)
  addEventListener('storage', follow)
})()
`

export const DOCS_PAGE = textFile('text/html; charset=utf-8', PAGE)
/** Made here, not by the build. */
const MADE: Readonly<Record<string, PageFile>> = {
  'corrections.css': textFile('text/css; charset=utf-8', CORRECTIONS),
  'start.js': textFile('text/javascript; charset=utf-8', START),
  'theme.js': textFile('text/javascript; charset=utf-8', THEME),
}

const BUILT: Readonly<Record<string, string>> = {
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}

/** Read once, when somebody first looks; half a MiB in all. */
const kept = new Map<string, PageFile>()

/** A file of the page; undefined where there is none of that name, or the build has not put it there. */
export async function pageFile(name: string): Promise<PageFile | undefined> {
  if (Object.hasOwn(MADE, name)) return MADE[name]
  const type = Object.hasOwn(BUILT, name) ? BUILT[name] : undefined
  if (type === undefined) return undefined
  const before = kept.get(name)
  if (before !== undefined) return before
  const file = await compressedFile(new URL(`${name}.gz`, FOLDER), type)
  if (file !== undefined) kept.set(name, file)
  return file
}
