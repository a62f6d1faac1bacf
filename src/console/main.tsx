import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/layout.css'
import './styles/parts.css'
import { readPageConfig } from './api/page-config.js'
import { takeTokenFromAddress } from './api/session.js'
import { App } from './app.js'

takeTokenFromAddress()
void readPageConfig()
const root = document.getElementById('app')
if (root !== null) render(<App />, root)
