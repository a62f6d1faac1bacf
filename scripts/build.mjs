// npm run build: installs what the lockfile says, compiles.
import { build, install, takesNothing } from './lib/prepare.mjs'

takesNothing('Usage: npm run build\n\nInstalls what the lockfile says and compiles src/ to dist/.\n')
install()
build()
