// npm run image:check: the image without Docker: its steps, what it holds, and its start with the fewest rights.
import { install, run } from './lib/prepare.mjs'

install()
// Mounts of a namespace of their own are gone with the process, however it ends.
run(
  'unshare',
  [
    '--mount',
    '--propagation',
    'private',
    process.execPath,
    '--import',
    'tsx',
    'test/image/main.ts',
    ...process.argv.slice(2),
  ],
  'image:check',
)
