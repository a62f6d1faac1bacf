// npm run build: installs what the lockfile says, compiles.
import { build, install } from './lib/prepare.mjs'

install()
build()
